#!/bin/sh
# Writes an image as an archive that `docker load`, `podman load`, `ctr images import`, kind and k3s read, without any of
# them: one layer with the files of a folder, a configuration, a manifest. The same files make the same archive.
# usage: archive.sh NAME:TAG FOLDER ARCHIVE COMMAND...
set -eu
name=$1 folder=$2 archive=$3
shift 3

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pack() { tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=a+rX -C "$1" -cf - .; }
digest() { sha256sum "$1" | cut -d ' ' -f 1; }
case $(uname -m) in
x86_64) machine=amd64 ;;
aarch64) machine=arm64 ;;
*) machine=$(uname -m) ;;
esac

mkdir "$work/image"
pack "$folder" >"$work/layer"
layer=$(digest "$work/layer")
mv "$work/layer" "$work/image/$layer.tar"
words=$(printf '"%s",' "$@")
cat >"$work/config" <<CONFIG
{"architecture":"$machine","os":"linux","created":"1970-01-01T00:00:00Z",
"config":{"Entrypoint":[${words%,}],"Env":["PATH=/usr/bin:/bin"],"WorkingDir":"/"},
"rootfs":{"type":"layers","diff_ids":["sha256:$layer"]}}
CONFIG
config=$(digest "$work/config").json
mv "$work/config" "$work/image/$config"
echo "[{\"Config\":\"$config\",\"RepoTags\":[\"$name\"],\"Layers\":[\"$layer.tar\"]}]" >"$work/image/manifest.json"
mkdir -p "$(dirname "$archive")"
pack "$work/image" >"$archive"
