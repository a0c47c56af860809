# SPDX-License-Identifier: GPL-2.0-or-later
# The page and the scripts of the flame graph are taken in by the assembler, see flamegraph.c: the compiler cannot know of them.
$(BUILD)/export/flamegraph.o: user/export/flamegraph.html user/export/flamegraph_tree.js user/export/flamegraph.js
