#!/bin/sh
# The local commands: they ask the agent over its socket, and say so when it is not there.
exec /opt/twonode/node /opt/twonode/current/agent.mjs "$@"
