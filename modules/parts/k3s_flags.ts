/**
 * Flags of `k3s server`, those of `k3s agent` among them: keys of its configuration file. Secrets
 * (`token`, `agent-token`) are left out on purpose: they are given as files.
 * @source https://docs.k3s.io/cli/server and https://docs.k3s.io/cli/agent
 */
// oxfmt-ignore
export const K3S_FLAGS: readonly string[] = [
  // Listeners, addresses, networks
  'bind-address', 'https-listen-port', 'advertise-address', 'advertise-port', 'tls-san', 'tls-san-security',
  'cluster-cidr', 'service-cidr', 'service-node-port-range', 'cluster-dns', 'cluster-domain',
  'flannel-backend', 'flannel-ipv6-masq', 'flannel-external-ip', 'flannel-iface', 'flannel-conf', 'flannel-cni-conf',
  'egress-selector-mode', 'servicelb-namespace', 'supervisor-port', 'apiserver-port', 'apiserver-bind-address',
  // Client and cluster
  'write-kubeconfig', 'write-kubeconfig-mode', 'write-kubeconfig-group', 'helm-job-image',
  'token-file', 'agent-token-file', 'server', 'cluster-init', 'cluster-reset', 'cluster-reset-restore-path',
  // Datastore
  'datastore-endpoint', 'datastore-cafile', 'datastore-certfile', 'datastore-keyfile',
  'etcd-expose-metrics', 'etcd-disable-snapshots', 'etcd-snapshot-name', 'etcd-snapshot-schedule-cron',
  'etcd-snapshot-retention', 'etcd-snapshot-dir', 'etcd-snapshot-compress', 'etcd-snapshot-reconcile-interval',
  'etcd-s3', 'etcd-s3-endpoint', 'etcd-s3-endpoint-ca', 'etcd-s3-skip-ssl-verify', 'etcd-s3-bucket',
  'etcd-s3-bucket-lookup-type', 'etcd-s3-region', 'etcd-s3-folder', 'etcd-s3-proxy', 'etcd-s3-config-secret',
  'etcd-s3-insecure', 'etcd-s3-timeout', 'etcd-s3-retention',
  // Components
  'etcd-arg', 'kube-apiserver-arg', 'kube-scheduler-arg', 'kube-controller-manager-arg',
  'kube-cloud-controller-manager-arg', 'kubelet-arg', 'kube-proxy-arg',
  'disable', 'disable-scheduler', 'disable-cloud-controller', 'disable-kube-proxy', 'disable-network-policy',
  'disable-helm-controller', 'disable-apiserver', 'disable-controller-manager', 'disable-etcd', 'disable-agent',
  'embedded-registry', 'supervisor-metrics', 'secrets-encryption', 'secrets-encryption-provider',
  'enable-pprof', 'default-local-storage-path', 'system-default-registry', 'airgap-extra-registry',
  // Node
  'node-name', 'with-node-id', 'node-label', 'node-taint', 'node-ip', 'node-external-ip', 'node-internal-dns',
  'node-external-dns', 'resolv-conf', 'image-credential-provider-bin-dir', 'image-credential-provider-config',
  'image-service-endpoint', 'container-runtime-endpoint', 'default-runtime', 'disable-default-registry-endpoint',
  'nonroot-devices', 'pause-image', 'snapshotter', 'private-registry', 'protect-kernel-defaults', 'selinux',
  'lb-server-port', 'docker', 'vpn-auth-file',
  // Process
  'data-dir', 'debug', 'v', 'vmodule', 'log', 'alsologtostderr', 'rootless', 'prefer-bundled-bin',
]

/**
 * Flags that must be the same on all servers of a cluster. Of `disable` that is true of `servicelb`
 * only.
 * @source https://docs.k3s.io/cli/server#critical-configuration-values
 */
// oxfmt-ignore
export const MUST_MATCH: readonly string[] = [
  'agent-token-file', 'cluster-cidr', 'cluster-dns', 'cluster-domain', 'disable', 'disable-cloud-controller',
  'disable-helm-controller', 'disable-network-policy', 'egress-selector-mode', 'embedded-registry',
  'flannel-backend', 'flannel-external-ip', 'flannel-ipv6-masq', 'secrets-encryption',
  'secrets-encryption-provider', 'service-cidr',
]
