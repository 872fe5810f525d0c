package main

import (
	"fmt"
	"os"
	"strings"
)

type kind int

const (
	text    kind = iota // the last value counts
	list                // repeatable; the command line's replace the configuration's
	switch_             // true or false; the bare flag means true
)

// A flag of `k3s server`, from https://docs.k3s.io/cli/server. Honoured flags do here what they do in
// k3s; the others are accepted, logged, and have no effect, for the part that they steer (the agent,
// the packaged components, the embedded etcd) does not exist in the stand-in.
type flag struct {
	kind     kind
	honoured bool
	env      string
	short    string
}

var flags = map[string]flag{
	// Honoured.
	"config":                      {kind: text, honoured: true, env: "K3S_CONFIG_FILE", short: "c"},
	"token":                       {kind: text, honoured: true, env: "K3S_TOKEN", short: "t"},
	"token-file":                  {kind: text, honoured: true, env: "K3S_TOKEN_FILE"},
	"datastore-endpoint":          {kind: text, honoured: true, env: "K3S_DATASTORE_ENDPOINT"},
	"data-dir":                    {kind: text, honoured: true, env: "K3S_DATA_DIR", short: "d"},
	"bind-address":                {kind: text, honoured: true},
	"https-listen-port":           {kind: text, honoured: true},
	"advertise-address":           {kind: text, honoured: true},
	"tls-san":                     {kind: list, honoured: true},
	"cluster-cidr":                {kind: list, honoured: true},
	"service-cidr":                {kind: list, honoured: true},
	"service-node-port-range":     {kind: text, honoured: true},
	"cluster-domain":              {kind: text, honoured: true},
	"write-kubeconfig":            {kind: text, honoured: true, env: "K3S_KUBECONFIG_OUTPUT", short: "o"},
	"write-kubeconfig-mode":       {kind: text, honoured: true, env: "K3S_KUBECONFIG_MODE"},
	"node-name":                   {kind: text, honoured: true, env: "K3S_NODE_NAME"},
	"node-ip":                     {kind: list, honoured: true, short: "i"},
	"node-external-ip":            {kind: list, honoured: true},
	"kube-apiserver-arg":          {kind: list, honoured: true},
	"kube-controller-manager-arg": {kind: list, honoured: true},
	"kube-scheduler-arg":          {kind: list, honoured: true},
	"disable-scheduler":           {kind: switch_, honoured: true},
	"disable-controller-manager":  {kind: switch_, honoured: true},

	// Accepted and recorded in the log: there is no agent, no packaged component, no embedded etcd.
	"debug":                             {kind: switch_, env: "K3S_DEBUG"},
	"v":                                 {kind: text},
	"vmodule":                           {kind: text},
	"log":                               {kind: text, short: "l"},
	"alsologtostderr":                   {kind: switch_},
	"tls-san-security":                  {kind: switch_},
	"cluster-dns":                       {kind: list},
	"flannel-backend":                   {kind: text},
	"flannel-ipv6-masq":                 {kind: switch_},
	"flannel-external-ip":               {kind: switch_},
	"egress-selector-mode":              {kind: text},
	"servicelb-namespace":               {kind: text},
	"write-kubeconfig-group":            {kind: text, env: "K3S_KUBECONFIG_GROUP"},
	"helm-job-image":                    {kind: text},
	"advertise-port":                    {kind: text},
	"agent-token":                       {kind: text, env: "K3S_AGENT_TOKEN"},
	"agent-token-file":                  {kind: text, env: "K3S_AGENT_TOKEN_FILE"},
	"etcd-arg":                          {kind: list},
	"kube-cloud-controller-manager-arg": {kind: list},
	"etcd-expose-metrics":               {kind: switch_},
	"etcd-disable-snapshots":            {kind: switch_},
	"etcd-snapshot-name":                {kind: text},
	"etcd-snapshot-schedule-cron":       {kind: text},
	"etcd-snapshot-retention":           {kind: text},
	"etcd-snapshot-dir":                 {kind: text},
	"etcd-snapshot-compress":            {kind: switch_},
	"default-local-storage-path":        {kind: text},
	"disable":                           {kind: list},
	"disable-agent":                     {kind: switch_},
	"disable-cloud-controller":          {kind: switch_},
	"disable-kube-proxy":                {kind: switch_},
	"disable-network-policy":            {kind: switch_},
	"disable-helm-controller":           {kind: switch_},
	"embedded-registry":                 {kind: switch_},
	"supervisor-metrics":                {kind: switch_},
	"with-node-id":                      {kind: switch_},
	"node-label":                        {kind: list},
	"node-taint":                        {kind: list},
	"image-credential-provider-bin-dir": {kind: text},
	"image-credential-provider-config":  {kind: text},
	"container-runtime-endpoint":        {kind: text},
	"default-runtime":                   {kind: text},
	"disable-default-registry-endpoint": {kind: switch_},
	"nonroot-devices":                   {kind: switch_},
	"pause-image":                       {kind: text},
	"snapshotter":                       {kind: text},
	"private-registry":                  {kind: text},
	"system-default-registry":           {kind: text, env: "K3S_SYSTEM_DEFAULT_REGISTRY"},
	"airgap-extra-registry":             {kind: list},
	"node-internal-dns":                 {kind: list},
	"node-external-dns":                 {kind: list},
	"resolv-conf":                       {kind: text, env: "K3S_RESOLV_CONF"},
	"flannel-iface":                     {kind: text},
	"flannel-conf":                      {kind: text},
	"flannel-cni-conf":                  {kind: text},
	"kubelet-arg":                       {kind: list},
	"kube-proxy-arg":                    {kind: list},
	"protect-kernel-defaults":           {kind: switch_},
	"enable-pprof":                      {kind: switch_},
	"rootless":                          {kind: switch_},
	"prefer-bundled-bin":                {kind: switch_},
	"selinux":                           {kind: switch_, env: "K3S_SELINUX"},
	"lb-server-port":                    {kind: text, env: "K3S_LB_SERVER_PORT"},
}

// settings holds every value given, by flag.
type settings map[string][]string

func (s settings) text(name, otherwise string) string {
	if values := s[name]; len(values) > 0 && values[len(values)-1] != "" {
		return values[len(values)-1]
	}
	return otherwise
}

// words splits a list flag at commas, as k3s does for addresses and names (not for component arguments).
func (s settings) words(name string) []string {
	var all []string
	for _, value := range s[name] {
		for _, word := range strings.Split(value, ",") {
			if word = strings.TrimSpace(word); word != "" {
				all = append(all, word)
			}
		}
	}
	return all
}

func (s settings) on(name string) bool {
	return s.text(name, "false") == "true"
}

// parseArgs reads a command line. An unknown flag is refused in k3s' words.
func parseArgs(args []string) (settings, error) {
	found := settings{}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if !strings.HasPrefix(arg, "-") {
			return nil, fmt.Errorf("unexpected argument %q", arg)
		}
		name, value, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		name = longName(name)
		known, ok := flags[name]
		if !ok {
			return nil, fmt.Errorf("flag provided but not defined: -%s", name)
		}
		if !hasValue && known.kind == switch_ {
			value = "true"
		} else if !hasValue {
			if i++; i == len(args) {
				return nil, fmt.Errorf("flag needs an argument: -%s", name)
			}
			value = args[i]
		}
		found[name] = append(found[name], value)
	}
	return found, nil
}

func longName(name string) string {
	for long, flag := range flags {
		if flag.short != "" && flag.short == name {
			return long
		}
	}
	return name
}

// environment holds the values of k3s' environment variables.
func environment() settings {
	found := settings{}
	for name, flag := range flags {
		if value := os.Getenv(flag.env); flag.env != "" && value != "" {
			found[name] = []string{value}
		}
	}
	return found
}

// merge lays the more important settings over the others, flag by flag.
func merge(low, high settings) settings {
	merged := settings{}
	for name, values := range low {
		merged[name] = values
	}
	for name, values := range high {
		merged[name] = values
	}
	return merged
}

// record logs what is accepted without effect.
func record(given settings) {
	for name, values := range given {
		if !flags[name].honoured {
			info("stand-in: accepted without effect: %s=%s", name, strings.Join(values, ","))
		}
	}
}
