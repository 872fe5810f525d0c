/** Where the bundle that a host goes by lies on it: a link to one of those that are kept. */
export const BUNDLE_PLACE = '/opt/twonode/site'

/** Folders of a bundle's files, by their sha256, and of its Debian packages. */
export const FILES_FOLDER = 'files'
export const PACKAGES_FOLDER = 'packages'
