package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// untar lists what is in an archive: names in order, and the text of each file.
func untar(t *testing.T, text []byte) ([]string, map[string]tar.Header, map[string][]byte) {
	t.Helper()
	var names []string
	headers, files := map[string]tar.Header{}, map[string][]byte{}
	for archive := tar.NewReader(bytes.NewReader(text)); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return names, headers, files
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, header.Name)
		headers[header.Name] = *header
		if files[header.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}

func packed(t *testing.T, arguments ...string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "image.tar")
	if err := pack(append([]string{out}, arguments...)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAnImageHoldsItsFilesAndSaysWhatItRuns(t *testing.T) {
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("#!"), 0o700); err != nil {
		t.Fatal(err)
	}
	arguments := []string{"-tag", "example.com/a:1", "-tag", "example.com/a:2", "-user", "65532", program + "=/usr/local/bin/program"}
	image := packed(t, arguments...)
	_, _, files := untar(t, image)

	var manifest []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	if err := json.Unmarshal(files["manifest.json"], &manifest); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(manifest[0].RepoTags, []string{"example.com/a:1", "example.com/a:2"}) {
		t.Errorf("tags: %v", manifest[0].RepoTags)
	}
	var config struct {
		Config struct {
			Entrypoint []string
			User       string
		}
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	if err := json.Unmarshal(files[manifest[0].Config], &config); err != nil {
		t.Fatal(err)
	}
	if config.Config.User != "65532" || !slices.Equal(config.Config.Entrypoint, []string{"/usr/local/bin/program"}) {
		t.Errorf("config: %+v", config.Config)
	}
	layer := files[manifest[0].Layers[0]]
	sum := sha256.Sum256(layer)
	if want := "sha256:" + hex.EncodeToString(sum[:]); !slices.Equal(config.RootFS.DiffIDs, []string{want}) {
		t.Errorf("layers: %v, not %s", config.RootFS.DiffIDs, want)
	}
	names, headers, contents := untar(t, layer)
	if want := []string{"tmp/", "usr/", "usr/local/", "usr/local/bin/", "usr/local/bin/program"}; !slices.Equal(names, want) {
		t.Errorf("the layer holds %v, not %v", names, want)
	}
	// Whoever the image runs as is not who made it.
	if mode := headers["usr/local/bin/program"].Mode; mode != 0o755 || string(contents["usr/local/bin/program"]) != "#!" {
		t.Errorf("the program: mode %o, text %q", mode, contents["usr/local/bin/program"])
	}
	if !bytes.Equal(image, packed(t, arguments...)) {
		t.Error("the same files give other bytes")
	}
}

func TestWhatIsNoImageIsRefused(t *testing.T) {
	for _, arguments := range [][]string{
		{"out.tar", "-tag", "a:1"},
		{"out.tar", "-tag", "a:1", "relative=path"},
		{"out.tar", "/bin/sh=/bin/sh"},
		{"-tag", "a:1", "/bin/sh=/bin/sh"},
	} {
		if err := pack(arguments); err == nil || strings.TrimSpace(err.Error()) == "" {
			t.Errorf("%v: %v", arguments, err)
		}
	}
}
