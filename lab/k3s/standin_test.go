package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLaterDropInsReplaceAndPlusAppends(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	write(t, file, "token: a\ntls-san: [x]\nkube-apiserver-arg: [one=1]\n")
	write(t, file+".d/20.yaml", "token: c\ntls-san: [z]\n")
	write(t, file+".d/10.yaml", "token: b\nkube-apiserver-arg+: [two=2]\n")
	got, err := readConfig(file, true)
	if err != nil {
		t.Fatal(err)
	}
	want := settings{"token": {"c"}, "tls-san": {"z"}, "kube-apiserver-arg": {"one=1", "two=2"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestUnknownFlagsAreRefusedOnTheLineAndInTheFile(t *testing.T) {
	if _, err := parseArgs([]string{"--no-such-flag"}); err == nil ||
		err.Error() != "flag provided but not defined: -no-such-flag" {
		t.Error(err)
	}
	file := filepath.Join(t.TempDir(), "config.yaml")
	write(t, file, "no-such-flag: 1\n")
	if _, err := readConfig(file, true); err == nil || !strings.Contains(err.Error(), "unknown flag --no-such-flag") {
		t.Error(err)
	}
}

func TestTheCommandLineWinsOverTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	write(t, file, "token: file\ndisable-agent: true\n")
	got, err := loadSettings([]string{"-c", file, "--token=line", "--disable-scheduler"})
	if err != nil {
		t.Fatal(err)
	}
	if got.text("token", "") != "line" || !got.on("disable-agent") || !got.on("disable-scheduler") {
		t.Error(got)
	}
}

func TestUsersArgumentsReplaceOursByName(t *testing.T) {
	got := commandLine(map[string]string{"profiling": "false", "v": "1"}, []string{"profiling=true", "--bare"})
	want := []string{"--v=1", "--profiling=true", "--bare=true"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSharedFilesOpenWithTheirTokenOnly(t *testing.T) {
	files := shared{"server-ca.key": []byte("secret")}
	sealed, err := encrypt("token", files)
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := decrypt("token", sealed); err != nil || string(opened["server-ca.key"]) != "secret" {
		t.Error(opened, err)
	}
	if _, err := decrypt("other", sealed); err != errOtherToken {
		t.Error(err)
	}
}

func TestATokenIsItsSecretPart(t *testing.T) {
	for given, want := range map[string]string{"plain": "plain", "K10ab::server:s3": "s3", "K10ab::s3": "s3"} {
		got, err := readToken(settings{"token": {given}}, t.TempDir())
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v", given, got, err)
		}
	}
}

func TestLeavesAreSignedByTheirAuthority(t *testing.T) {
	files, err := createShared()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := issue(files, "server-ca", leaf{commonName: "x", names: []string{"10.0.0.1", "host"}}); err != nil {
		t.Error(err)
	}
	if _, _, err := issue(files, "no-such-ca", leaf{}); err == nil {
		t.Error("an authority that is not there signed")
	}
}
