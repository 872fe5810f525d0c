package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

const defaultConfig = "/etc/rancher/k3s/config.yaml"

// loadSettings reads what k3s reads, in its order: the configuration file, its drop-ins, the
// environment, the command line; the later wins.
func loadSettings(args []string) (settings, error) {
	line, err := parseArgs(args)
	if err != nil {
		return nil, err
	}
	outside := merge(environment(), line)
	file := outside.text("config", defaultConfig)
	config, err := readConfig(file, outside["config"] != nil)
	if err != nil {
		return nil, err
	}
	return merge(config, outside), nil
}

// readConfig reads a configuration file and its drop-ins, FILE.d/*.yaml in alphabetical order. A later
// file's value replaces an earlier one's; a key that ends in + appends to it. Unlike k3s, which skips
// a key that it does not know with a warning, the stand-in refuses it.
func readConfig(file string, mustExist bool) (settings, error) {
	merged := settings{}
	files := []string{file}
	for _, pattern := range []string{"*.yaml", "*.yml"} {
		matches, _ := filepath.Glob(filepath.Join(file+".d", pattern))
		files = append(files, matches...)
	}
	sort.Strings(files[1:])
	for _, name := range files {
		content, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) && (name != file || !mustExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := mergeFile(merged, name, content); err != nil {
			return nil, err
		}
	}
	return merged, nil
}

func mergeFile(merged settings, name string, content []byte) error {
	values := map[string]any{}
	if err := yaml.Unmarshal(content, &values); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for key, value := range values {
		plain := strings.TrimSuffix(key, "+")
		plain = longName(plain)
		if _, ok := flags[plain]; !ok {
			return fmt.Errorf("%s: unknown flag --%s", name, plain)
		}
		added := toStrings(value)
		if strings.HasSuffix(key, "+") {
			added = append(append([]string{}, merged[plain]...), added...)
		}
		merged[plain] = added
	}
	return nil
}

func toStrings(value any) []string {
	if values, ok := value.([]any); ok {
		all := make([]string, 0, len(values))
		for _, one := range values {
			all = append(all, toString(one))
		}
		return all
	}
	return []string{toString(value)}
}

func toString(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}
