package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	defaultKubeconfig = "/etc/rancher/k3s/k3s.yaml"
	// How long the API server may take to be ready; systemd's own start limit is shorter as a rule.
	readyTimeout = 3 * time.Minute
	// After SIGTERM the parts have this long to end by themselves.
	stopTimeout = 5 * time.Second
)

// runServer starts the parts under this process, and ends when any of them ends: k3s has them all in
// one process, so that is how k3s looks from outside.
func runServer(args []string) error {
	given, err := loadSettings(args)
	if err != nil {
		return err
	}
	record(given)
	info("Starting k3s %s (stand-in)", version)
	server, err := newServer(given)
	if err != nil {
		return err
	}
	files, err := obtainShared(given.text("datastore-endpoint", ""), server.token, createShared)
	if err != nil {
		return err
	}
	if err := server.writeFiles(files); err != nil {
		return err
	}
	return server.run()
}

type server struct {
	given   settings
	dir     string // data-dir/server
	token   string
	port    string
	node    string
	address string
}

func newServer(given settings) (*server, error) {
	dir := filepath.Join(given.text("data-dir", "/var/lib/rancher/k3s"), "server")
	hostname, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	token, err := readToken(given, dir)
	if err != nil {
		return nil, err
	}
	address := given.text("advertise-address", "")
	if ips := given.words("node-ip"); address == "" && len(ips) > 0 {
		address = ips[0]
	}
	if address == "" {
		address = firstAddress()
	}
	return &server{
		given:   given,
		dir:     dir,
		token:   token,
		port:    given.text("https-listen-port", "6443"),
		node:    strings.ToLower(given.text("node-name", hostname)),
		address: address,
	}, nil
}

// readToken gives the token's secret part: of K10HASH::server:SECRET that is SECRET. A server without
// a token makes one, once.
func readToken(given settings, dir string) (string, error) {
	token := given.text("token", "")
	if file := given.text("token-file", ""); token == "" && file != "" {
		content, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		token = strings.TrimSpace(string(content))
	}
	if token == "" {
		if content, err := os.ReadFile(filepath.Join(dir, "token")); err == nil {
			token = strings.TrimSpace(string(content))
		}
	}
	if token == "" {
		raw := make([]byte, 16)
		rand.Read(raw)
		token = hex.EncodeToString(raw)
	}
	if strings.HasPrefix(token, "K10") {
		if _, credentials, ok := strings.Cut(token, "::"); ok {
			if _, secret, ok := strings.Cut(credentials, ":"); ok {
				return secret, nil
			}
			return credentials, nil
		}
	}
	return token, nil
}

// writeFiles puts the shared files and this server's own certificates below the data directory, and
// the administrator's kubeconfig where k3s has it.
func (s *server) writeFiles(files shared) error {
	for name, content := range files {
		if err := writeSecret(s.tls(name), content); err != nil {
			return err
		}
	}
	type signed struct {
		authority string
		leaf
	}
	leaves := map[string]signed{
		"serving-kube-apiserver": {"server-ca", leaf{"kube-apiserver", nil, x509.ExtKeyUsageServerAuth, s.servingNames()}},
		"client-admin":           {"client-ca", leaf{"system:admin", []string{"system:masters"}, x509.ExtKeyUsageClientAuth, nil}},
		"client-controller":      {"client-ca", leaf{"system:kube-controller-manager", nil, x509.ExtKeyUsageClientAuth, nil}},
		"client-scheduler":       {"client-ca", leaf{"system:kube-scheduler", nil, x509.ExtKeyUsageClientAuth, nil}},
		"client-auth-proxy":      {"request-header-ca", leaf{"system:auth-proxy", nil, x509.ExtKeyUsageClientAuth, nil}},
	}
	for _, part := range []string{"kube-controller-manager", "kube-scheduler"} {
		names := []string{part, "localhost", "127.0.0.1", "::1"}
		leaves[part+"/"+part] = signed{"server-ca", leaf{part, nil, x509.ExtKeyUsageServerAuth, names}}
	}
	for name, want := range leaves {
		certificate, key, err := issue(files, want.authority, want.leaf)
		if err != nil {
			return err
		}
		if err := writeSecret(s.tls(name+".crt"), certificate); err != nil {
			return err
		}
		if err := writeSecret(s.tls(name+".key"), key); err != nil {
			return err
		}
	}
	digest := sha256.Sum256(files["server-ca.crt"])
	token := fmt.Sprintf("K10%s::server:%s\n", hex.EncodeToString(digest[:]), s.token)
	for _, name := range []string{"token", "node-token"} {
		if err := writeSecret(filepath.Join(s.dir, name), []byte(token)); err != nil {
			return err
		}
	}
	return s.writeKubeconfigs(files)
}

func (s *server) tls(name string) string {
	return filepath.Join(s.dir, "tls", name)
}

func (s *server) kubeconfig(user string) string {
	return filepath.Join(s.dir, "cred", user+".kubeconfig")
}

// servingNames is what the API server may be called.
func (s *server) servingNames() []string {
	domain := s.given.text("cluster-domain", "cluster.local")
	names := []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + domain,
		"localhost", s.node, "127.0.0.1", "::1", s.address}
	if _, services, err := net.ParseCIDR(s.serviceRange()); err == nil {
		first := append(net.IP{}, services.IP...)
		first[len(first)-1]++
		names = append(names, first.String())
	}
	names = append(names, s.given.words("node-ip")...)
	names = append(names, s.given.words("node-external-ip")...)
	return append(names, s.given.words("tls-san")...)
}

func (s *server) serviceRange() string {
	if ranges := s.given.words("service-cidr"); len(ranges) > 0 {
		return strings.Join(ranges, ",")
	}
	return "10.43.0.0/16"
}

func (s *server) clusterRange() string {
	if ranges := s.given.words("cluster-cidr"); len(ranges) > 0 {
		return strings.Join(ranges, ",")
	}
	return "10.42.0.0/16"
}

// run starts the API server, tells systemd when it is ready, starts the others, and waits for the end.
func (s *server) run() error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	ended := make(chan string)
	var running []*exec.Cmd
	start := func(name string, args map[string]string, extra []string) error {
		command := exec.Command("/proc/self/exe", commandLine(args, extra)...)
		command.Args[0] = name
		command.Stdout, command.Stderr = os.Stdout, os.Stderr
		// The API server would tell systemd by itself that it is ready, before it is.
		command.Env = append(os.Environ(), "NOTIFY_SOCKET=")
		command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := command.Start(); err != nil {
			return err
		}
		running = append(running, command)
		go func() { ended <- fmt.Sprintf("%s exited: %v", name, command.Wait()) }()
		return nil
	}
	if err := start("kube-apiserver", s.apiServerArgs(), s.given["kube-apiserver-arg"]); err != nil {
		return err
	}
	ready := make(chan error, 1)
	go func() { ready <- s.waitReady() }()
	for {
		select {
		case name := <-ended:
			return fmt.Errorf("%s", name)
		case <-stop:
			return s.stop(running, ended)
		case err := <-ready:
			if err != nil {
				return err
			}
			info("Kube API server is now running")
			if err := s.startRest(start); err != nil {
				return err
			}
			notify("READY=1")
			info("k3s is up and running (stand-in)")
		}
	}
}

func (s *server) startRest(start func(string, map[string]string, []string) error) error {
	if !s.given.on("disable-controller-manager") {
		extra := s.given["kube-controller-manager-arg"]
		if err := start("kube-controller-manager", s.controllerManagerArgs(), extra); err != nil {
			return err
		}
	}
	if s.given.on("disable-scheduler") {
		return nil
	}
	return start("kube-scheduler", s.schedulerArgs(), s.given["kube-scheduler-arg"])
}

// stop ends the parts; what is still there after the bound dies with this process.
func (s *server) stop(running []*exec.Cmd, ended <-chan string) error {
	info("Shutting down")
	for _, part := range running {
		part.Process.Signal(syscall.SIGTERM)
	}
	bound := time.After(stopTimeout)
	for range running {
		select {
		case <-ended:
		case <-bound:
			return nil
		}
	}
	return nil
}

// waitReady asks /readyz as the administrator until it says ok.
func (s *server) waitReady() error {
	certificate, err := tls.LoadX509KeyPair(s.tls("client-admin.crt"), s.tls("client-admin.key"))
	if err != nil {
		return err
	}
	authority, err := os.ReadFile(s.tls("server-ca.crt"))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	client := &http.Client{
		Timeout: 5 * time.Second,
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{certificate}},
		},
	}
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	for ctx.Err() == nil {
		if answer, err := client.Get(s.url() + "/readyz"); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("the API server was not ready within %s", readyTimeout)
}

// url is where this host reaches its own API server.
func (s *server) url() string {
	host := s.given.text("bind-address", "0.0.0.0")
	if host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	return "https://" + net.JoinHostPort(host, s.port)
}

// firstAddress is the address that this host would speak to the world from.
func firstAddress() string {
	connection, err := net.Dial("udp", "192.0.2.1:9")
	if err != nil {
		return "127.0.0.1"
	}
	defer connection.Close()
	return connection.LocalAddr().(*net.UDPAddr).IP.String()
}

// notify tells systemd, if it asked to be told.
func notify(state string) {
	socket := os.Getenv("NOTIFY_SOCKET")
	if socket == "" {
		return
	}
	connection, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		info("notify: %v", err)
		return
	}
	defer connection.Close()
	connection.Write([]byte(state))
}

// writeSecret replaces a file that only root may read.
func writeSecret(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return replaceFile(path, content, 0o600)
}

func replaceFile(path string, content []byte, mode os.FileMode) error {
	fresh := path + ".new"
	if err := os.WriteFile(fresh, content, mode); err != nil {
		return err
	}
	if err := os.Chmod(fresh, mode); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}
