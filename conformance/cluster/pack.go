package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// several is a flag that may be given more than once.
type several []string

func (s *several) String() string { return strings.Join(*s, ",") }

func (s *several) Set(value string) error {
	*s = append(*s, value)
	return nil
}

// pack makes an image of files, without a container engine: one layer, as an archive that `docker load`, `ctr images
// import` and `kind load image-archive` take. The same files give the same bytes.
func pack(arguments []string) error {
	var tags several
	flags := flag.NewFlagSet("cluster pack OUT.tar [FLAG...] SOURCE=/PATH/IN/IMAGE...", flag.ContinueOnError)
	flags.Var(&tags, "tag", "the image's `NAME:TAG`; may be given more than once")
	entry := flags.String("entrypoint", "", "the `program` that it runs; by default the first file")
	user := flags.String("user", "", "the `UID[:GID]` that it runs as; by default root")
	libraries := flags.Bool("libraries", false, "put the shared libraries of the files in, too")
	if len(arguments) == 0 {
		flags.Usage()
		return flag.ErrHelp
	}
	out, arguments := arguments[0], arguments[1:]
	if strings.HasPrefix(out, "-") {
		out, arguments = "", append([]string{out}, arguments...)
	}
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	files := map[string]string{}
	for _, argument := range flags.Args() {
		source, at, ok := strings.Cut(argument, "=")
		if !ok || !path.IsAbs(at) {
			return fmt.Errorf("%q is not SOURCE=/PATH/IN/IMAGE", argument)
		}
		files[path.Clean(at)] = source
		if *entry == "" {
			*entry = at
		}
	}
	if out == "" || len(files) == 0 || len(tags) == 0 {
		return errors.New("pack wants an output, a --tag and files: cluster pack -h")
	}
	if *libraries {
		if err := addLibraries(files); err != nil {
			return err
		}
	}
	layer, err := pile(files)
	if err != nil {
		return err
	}
	return writeImage(out, tags, *entry, *user, layer)
}

// addLibraries asks the loader what the programs among the files want, and puts it where they look for it.
func addLibraries(files map[string]string) error {
	var sources []string
	for _, source := range files {
		sources = append(sources, source)
	}
	for _, source := range sources {
		text, err := exec.Command("ldd", source).Output()
		if err != nil {
			continue // Not dynamic, or no program at all.
		}
		for line := range strings.Lines(string(text)) {
			// "libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x...)" or "/lib64/ld-linux-x86-64.so.2 (0x...)"
			if strings.Contains(line, "not found") {
				return fmt.Errorf("%s: %s", source, strings.TrimSpace(line))
			}
			if _, after, arrow := strings.Cut(line, "=> "); arrow {
				line = after
			}
			if at, _, _ := strings.Cut(strings.TrimSpace(line), " ("); path.IsAbs(at) {
				files[at] = at
			}
		}
	}
	return nil
}

// pile is the layer: a tar of the files and the directories above them, in order, without times and owners.
func pile(files map[string]string) ([]byte, error) {
	var buffer bytes.Buffer
	layer := tar.NewWriter(&buffer)
	directories := map[string]bool{"/tmp": true}
	var names []string
	for name := range files {
		names = append(names, name)
		for above := path.Dir(name); above != "/"; above = path.Dir(above) {
			directories[above] = true
		}
	}
	for name := range directories {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		header := tar.Header{Name: strings.TrimPrefix(name, "/"), ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
		if directories[name] {
			header.Typeflag, header.Mode, header.Name = tar.TypeDir, 0o755, header.Name+"/"
			if name == "/tmp" {
				header.Mode = 0o1777
			}
			if err := layer.WriteHeader(&header); err != nil {
				return nil, err
			}
			continue
		}
		if err := add(layer, header, files[name]); err != nil {
			return nil, err
		}
	}
	err := layer.Close()
	return buffer.Bytes(), err
}

func add(to *tar.Writer, header tar.Header, source string) error {
	source, err := filepath.EvalSymlinks(source)
	if err != nil {
		return err
	}
	file, err := os.Open(source)
	if err != nil {
		return err
	}
	defer file.Close()
	about, err := file.Stat()
	if err != nil {
		return err
	}
	header.Typeflag, header.Size = tar.TypeReg, about.Size()
	// Whoever the image runs as may read all and run programs.
	header.Mode = 0o644 | int64(about.Mode().Perm()&0o111)
	if header.Mode&0o111 != 0 {
		header.Mode |= 0o111
	}
	if err := to.WriteHeader(&header); err != nil {
		return err
	}
	_, err = io.Copy(to, file)
	return err
}

func writeImage(out string, tags []string, entry, user string, layer []byte) error {
	digest := func(text []byte) string {
		sum := sha256.Sum256(text)
		return hex.EncodeToString(sum[:])
	}
	type object = map[string]any
	config, err := json.Marshal(object{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"created":      time.Unix(0, 0).UTC().Format(time.RFC3339),
		"config": object{
			"Entrypoint": []string{entry},
			"User":       user,
			"Env":        []string{"PATH=/usr/local/bin:/usr/bin:/bin"},
		},
		"rootfs":  object{"type": "layers", "diff_ids": []string{"sha256:" + digest(layer)}},
		"history": []object{{"created_by": "lychgate cluster pack"}},
	})
	if err != nil {
		return err
	}
	manifest, err := json.Marshal([]object{{
		"Config": digest(config) + ".json", "RepoTags": tags, "Layers": []string{digest(layer) + "/layer.tar"},
	}})
	if err != nil {
		return err
	}
	var buffer bytes.Buffer
	image := tar.NewWriter(&buffer)
	for _, file := range []struct {
		name string
		text []byte
	}{{digest(config) + ".json", config}, {digest(layer) + "/layer.tar", layer}, {"manifest.json", manifest}} {
		header := tar.Header{Name: file.name, Size: int64(len(file.text)), Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
		if err := image.WriteHeader(&header); err != nil {
			return err
		}
		if _, err := image.Write(file.text); err != nil {
			return err
		}
	}
	if err := image.Close(); err != nil {
		return err
	}
	// Whole or not at all.
	partial := out + ".partial"
	if err := os.WriteFile(partial, buffer.Bytes(), 0o644); err != nil {
		return err
	}
	return os.Rename(partial, out)
}
