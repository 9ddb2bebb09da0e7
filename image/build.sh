#!/bin/sh
# Builds the image of `manifests/` as an archive, without a container engine: one static program and nothing else, no shell
# and no library. `build.sh` builds the program, too; `build.sh PROGRAM ARCHIVE` takes one that is there, with the
# libraries that it names where it is not static: for tests.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -1)
program=${1:-}
archive=${2:-$root/.cache/image/tenet-$version.tar}

if [ -z "$program" ]; then
	# A target named, so that what runs while it is built (build.rs, macros) is linked as ever.
	target=$(rustc -vV | sed -n 's/^host: //p')
	RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --bin tenet --target "$target" --manifest-path "$root/Cargo.toml"
	program=$root/target/$target/release/tenet
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/usr/bin"
strip -o "$folder/usr/bin/tenet" "$program"
if ldd "$program" >"$folder/.libraries" 2>/dev/null; then
	for library in $(grep -o '/[^ ]*' "$folder/.libraries"); do
		install -D "$library" "$folder$library"
	done
fi
rm -f "$folder/.libraries"
"$root/image/archive.sh" "tenet:$version" "$folder" "$archive" /usr/bin/tenet
echo "$archive: $(stat -c %s "$archive") octets, image tenet:$version"
