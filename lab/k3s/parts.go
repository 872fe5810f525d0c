package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// commandLine makes flags of a part's arguments; the user's --kube-...-arg replace ours by name. A
// user's own argument may repeat (as some of upstream's flags do).
func commandLine(args map[string]string, extra []string) []string {
	named := map[string]string{}
	for name, value := range args {
		named[name] = value
	}
	var users []string
	for _, argument := range extra {
		name, value, hasValue := strings.Cut(strings.TrimLeft(argument, "-"), "=")
		if !hasValue {
			value = "true"
		}
		delete(named, name)
		users = append(users, "--"+name+"="+value)
	}
	line := make([]string, 0, len(named)+len(users))
	for name, value := range named {
		line = append(line, "--"+name+"="+value)
	}
	sort.Strings(line)
	return append(line, users...)
}

// apiServerArgs is what k3s passes to the API server, without what belongs to the agent.
func (s *server) apiServerArgs() map[string]string {
	issuer := "https://kubernetes.default.svc." + s.given.text("cluster-domain", "cluster.local")
	return map[string]string{
		"advertise-address":                  s.address,
		"allow-privileged":                   "true",
		"anonymous-auth":                     "false",
		"api-audiences":                      issuer + ",k3s",
		"authorization-mode":                 "Node,RBAC",
		"bind-address":                       s.given.text("bind-address", "0.0.0.0"),
		"cert-dir":                           filepath.Join(s.dir, "tls", "temporary-certs"),
		"client-ca-file":                     s.tls("client-ca.crt"),
		"enable-admission-plugins":           "NodeRestriction",
		"enable-aggregator-routing":          "true",
		"etcd-servers":                       s.given.text("datastore-endpoint", ""),
		"profiling":                          "false",
		"proxy-client-cert-file":             s.tls("client-auth-proxy.crt"),
		"proxy-client-key-file":              s.tls("client-auth-proxy.key"),
		"requestheader-allowed-names":        "system:auth-proxy",
		"requestheader-client-ca-file":       s.tls("request-header-ca.crt"),
		"requestheader-extra-headers-prefix": "X-Remote-Extra-",
		"requestheader-group-headers":        "X-Remote-Group",
		"requestheader-username-headers":     "X-Remote-User",
		"secure-port":                        s.port,
		"service-account-issuer":             issuer,
		"service-account-key-file":           s.tls("service.key"),
		"service-account-signing-key-file":   s.tls("service.key"),
		"service-cluster-ip-range":           s.serviceRange(),
		"service-node-port-range":            s.given.text("service-node-port-range", "30000-32767"),
		"storage-backend":                    "etcd3",
		"tls-cert-file":                      s.tls("serving-kube-apiserver.crt"),
		"tls-private-key-file":               s.tls("serving-kube-apiserver.key"),
	}
}

func (s *server) controllerManagerArgs() map[string]string {
	args := map[string]string{
		"allocate-node-cidrs":              "true",
		"authentication-kubeconfig":        s.kubeconfig("controller"),
		"authorization-kubeconfig":         s.kubeconfig("controller"),
		"bind-address":                     "127.0.0.1",
		"cluster-cidr":                     s.clusterRange(),
		"configure-cloud-routes":           "false",
		"controllers":                      "*,tokencleaner",
		"kubeconfig":                       s.kubeconfig("controller"),
		"profiling":                        "false",
		"root-ca-file":                     s.tls("server-ca.crt"),
		"secure-port":                      "10257",
		"service-account-private-key-file": s.tls("service.key"),
		"service-cluster-ip-range":         s.serviceRange(),
		"tls-cert-file":                    s.tls("kube-controller-manager/kube-controller-manager.crt"),
		"tls-private-key-file":             s.tls("kube-controller-manager/kube-controller-manager.key"),
		"use-service-account-credentials":  "true",
	}
	signers := map[string]string{
		"kube-apiserver-client": "client-ca", "kubelet-client": "client-ca",
		"kubelet-serving": "server-ca", "legacy-unknown": "server-ca",
	}
	for signer, authority := range signers {
		args["cluster-signing-"+signer+"-cert-file"] = s.tls(authority + ".crt")
		args["cluster-signing-"+signer+"-key-file"] = s.tls(authority + ".key")
	}
	return args
}

func (s *server) schedulerArgs() map[string]string {
	return map[string]string{
		"authentication-kubeconfig": s.kubeconfig("scheduler"),
		"authorization-kubeconfig":  s.kubeconfig("scheduler"),
		"bind-address":              "127.0.0.1",
		"kubeconfig":                s.kubeconfig("scheduler"),
		"profiling":                 "false",
		"secure-port":               "10259",
		"tls-cert-file":             s.tls("kube-scheduler/kube-scheduler.crt"),
		"tls-private-key-file":      s.tls("kube-scheduler/kube-scheduler.key"),
	}
}

// writeKubeconfigs writes the parts' and the administrator's way to this host's API server.
func (s *server) writeKubeconfigs(files shared) error {
	for user, certificate := range map[string]string{
		"admin": "client-admin", "controller": "client-controller", "scheduler": "client-scheduler",
	} {
		content, err := s.kubeconfigText(files, certificate)
		if err != nil {
			return err
		}
		if err := writeSecret(s.kubeconfig(user), content); err != nil {
			return err
		}
		if user != "admin" {
			continue
		}
		mode, err := strconv.ParseUint(s.given.text("write-kubeconfig-mode", "0600"), 8, 32)
		if err != nil {
			return fmt.Errorf("write-kubeconfig-mode: %w", err)
		}
		path := s.given.text("write-kubeconfig", defaultKubeconfig)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := replaceFile(path, content, os.FileMode(mode)); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) kubeconfigText(files shared, certificate string) ([]byte, error) {
	encode := base64.StdEncoding.EncodeToString
	client, err := os.ReadFile(s.tls(certificate + ".crt"))
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(s.tls(certificate + ".key"))
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters:
- name: default
  cluster:
    certificate-authority-data: %s
    server: %s
users:
- name: default
  user:
    client-certificate-data: %s
    client-key-data: %s
contexts:
- name: default
  context:
    cluster: default
    user: default
current-context: default
preferences: {}
`, encode(files["server-ca.crt"]), s.url(), encode(client), encode(key)), nil
}
