// A stand-in for k3s, for machines that reach package registries but no k3s release: upstream
// Kubernetes' API server, controller manager, scheduler and kubectl in one static binary, with k3s'
// configuration, files and use of the datastore, as far as twonode touches them. It has no agent
// (no kubelet, no containers): flags of the agent are accepted and have no effect.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

// Set by the build.
var version = "unknown"

const usage = `k3s stand-in: upstream Kubernetes under k3s' command line. Not k3s.

Usage:
  k3s server [flags]     API server, controller manager and scheduler
  k3s kubectl ...        upstream kubectl
  k3s --version
`

func main() {
	// Each part's process is found by argv[0]: upstream's commands can't share one process, for each
	// installs the signal handler and panics on the second.
	switch filepath.Base(os.Args[0]) {
	case "kube-apiserver":
		runPart(apiserver.NewAPIServerCommand())
	case "kube-controller-manager":
		runPart(controllers.NewControllerManagerCommand())
	case "kube-scheduler":
		runPart(scheduler.NewSchedulerCommand())
	case "kubectl":
		runKubectl(os.Args)
	}
	command := ""
	if len(os.Args) > 1 {
		command = os.Args[1]
	}
	switch command {
	case "server":
		// A child's parent-death signal follows the thread that made it: that thread must stay.
		runtime.LockOSThread()
		if err := runServer(os.Args[2:]); err != nil {
			fatal(err)
		}
	case "kubectl":
		runKubectl(os.Args[1:])
	case "--version", "-v", "version":
		fmt.Printf("k3s version %s (stand-in: upstream Kubernetes, not k3s)\ngo version %s\n", version, runtime.Version())
	case "", "help", "--help", "-h":
		fmt.Print(usage)
	default:
		fmt.Fprintf(os.Stderr, "%sunknown command %q\n", usage, command)
		os.Exit(1)
	}
}

// A part's heap may grow to this many percent of what lives before it is collected. The parts of a
// pair start hundreds of times in a run of the tests, and a start is mostly garbage: at Go's own 100
// it costs 2.7 s of a core, at this 2.3 s, and the API server takes 100 MB more.
const garbagePercent = 400

func runPart(command *cobra.Command) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	os.Exit(cli.Run(command))
}

// runKubectl uses the server's own kubeconfig when none is named, as k3s does.
func runKubectl(args []string) {
	if os.Getenv("KUBECONFIG") == "" {
		os.Setenv("KUBECONFIG", defaultKubeconfig)
	}
	os.Args = args
	runPart(kubectl.NewDefaultKubectlCommand())
}

func info(format string, values ...any) {
	fmt.Fprintf(os.Stderr, "level=info msg=%q\n", fmt.Sprintf(format, values...))
}

// fatal prints the reason in k3s' form and ends the process with 1.
func fatal(err error) {
	fmt.Fprintf(os.Stderr, "level=fatal msg=%q\n", err.Error())
	os.Exit(1)
}
