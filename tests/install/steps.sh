# shellcheck shell=bash
# steps TITLE: those under that title of doc/install.md, as commands of root; where there are none, one that fails.
steps() {
	sed -n "/^## $1\$/,/^## /s/^    \(sudo \)\?//p" "$(dirname "${BASH_SOURCE[0]}")/../../doc/install.md" | grep . ||
		echo "echo 'doc/install.md has no commands under $1'; false"
}
