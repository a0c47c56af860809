// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/message.h"
#include "classify/category_sets.h"

static const struct {
	const char *name, *label;
} sets[] = {
	{ "gc", "garbage collection" },
	{ "serialization", "serialization and parsing" },
	{ "rpc", "remote procedure calls" },
	{ "locking", "locks and conditions" },
	{ "memory-allocation", "memory allocation" },
	{ "compression", "compression" },
	{ "crypto", "encryption and digests" },
	{ "logging", "logging" },
	{ "regex", "regular expressions" },
};

#define SETS	(sizeof(sets) / sizeof(sets[0]))

/* Patterns have commas between them: some have blanks. The second condition, where there is one, must be met too. */
struct set_match {
	const char *set;
	enum condition condition;
	const char *patterns;
	enum condition and;
	const char *and_patterns;
};

static const struct set_match matches[] = {
	{ "gc", CONDITION_CLASS,
	  "G1*, Z*, XMark*, XRelocate*, XHeap*, Shenandoah*, PS*, ParCompactionManager, ParScan*, GenMarkSweep, MarkSweep, DefNewGeneration, "
	  "TenuredGeneration, SerialHeap, SerialFullGC, GenCollectedHeap, GCTaskThread, VM_GC_Operation, VM_CollectForMetadataAllocation, "
	  "ReferenceProcessor, CardTableRS",
	  CONDITION_FILE, "libjvm" },
	{ "gc", CONDITION_FUNCTION,
	  "runtime.gc*, runtime.scanobject*, runtime.scanblock*, runtime.scanstack*, runtime.scanframe*, runtime.scanSpan*, "
	  "runtime.markroot*, runtime.greyobject*, runtime.bgsweep*, runtime.bgscavenge*, runtime.sweepone*, "
	  "runtime.(*sweepLocked).sweep*, runtime.(*mspan).sweep*, runtime.wbBufFlush*, runtime.(*gcWork)*, runtime.drainMarkWork*",
	  0, NULL },
	{ "gc", CONDITION_CLASS,
	  "v8::internal::MarkCompact*, v8::internal::Scaveng*, v8::internal::Sweeper*, v8::internal::ConcurrentMarking*, "
	  "v8::internal::Marking*, v8::internal::MainMarking*, v8::internal::MinorMark*, v8::internal::IncrementalMarking*, "
	  "v8::internal::Evacuator*, v8::internal::PointersUpdating*, v8::internal::GlobalHandles, cppgc::internal::*",
	  0, NULL },
	{ "gc", CONDITION_FUNCTION,
	  "v8::internal::Heap::CollectGarbage*, v8::internal::Heap::PerformGarbage*, v8::internal::Heap::Scavenge*, "
	  "v8::internal::Heap::MarkCompact*, v8::internal::Heap::MinorMark*, WKS::gc_heap::*, SVR::gc_heap::*, "
	  "WKS::GCHeap::GarbageCollect*, SVR::GCHeap::GarbageCollect*, zend_gc_*, gc_possible_root*, erts_garbage_collect*, "
	  "caml_major_collection*, caml_minor_collection*, caml_empty_minor_heap*, caml_darken*, GC_mark*, GC_collect*, GC_reclaim*, "
	  "GC_try_to_collect*, luaC_*, _PyGC_Collect*, PyGC_Collect*",
	  0, NULL },
	{ "gc", CONDITION_FUNCTION,
	  "gc_collect*, subtract_refs, move_unreachable, deduce_unreachable, visit_decref, visit_reachable, update_refs, "
	  "delete_garbage, untrack_tuples",
	  CONDITION_FILE, "python*, libpython*" },
	{ "gc", CONDITION_FUNCTION, "gc_start*, gc_mark*, gc_sweep*, gc_rest*, gc_compact*, rb_gc_mark*, garbage_collect*",
	  CONDITION_FILE, "ruby*, libruby*" },
	{ "gc", CONDITION_FUNCTION, "garbage_collect*, minor_collection*, major_collection*, do_minor*, sweep_off_heap*",
	  CONDITION_FILE, "beam.smp" },

	{ "serialization", CONDITION_FILE,
	  "libprotobuf*, libprotobuf-c, libcapnp*, libkj*, libflatbuffers, libjson-c, libjsoncpp, libjson-glib*, libjansson, libsimdjson, "
	  "libyajl, libcjson, libxml2, libxerces-c*, libexpat, libyaml, libyaml-cpp, libmsgpack*, libmsgpackc, libavro*, libcbor, _json, "
	  "_pickle, pyexpat, _elementtree, orjson, ujson, _message, _upb",
	  0, NULL },
	{ "serialization", CONDITION_PACKAGE,
	  "simdjson, rapidjson, nlohmann, capnp, flatbuffers, msgpack, YAML, serde*, prost*, bincode, quick_xml, rmp*, "
	  "encoding/json*, encoding/gob*, encoding/xml*, encoding/binary*, encoding/asn1*, google.golang.org/protobuf*, "
	  "github.com/golang/protobuf*, github.com/gogo/protobuf*, github.com/json-iterator/go*, github.com/vmihailenco/msgpack*, "
	  "github.com/bytedance/sonic*, gopkg.in/yaml*, com.fasterxml.jackson*, com.google.gson*, com.google.protobuf*, org.apache.avro*, "
	  "org.yaml.snakeyaml*, System.Text.Json*, Newtonsoft.Json*",
	  0, NULL },
	{ "serialization", CONDITION_FUNCTION,
	  "google::protobuf::*, php_json_*, php_var_serialize*, php_var_unserialize*, v8::internal::JsonParse*, "
	  "v8::internal::JsonStringif*, *JsonParser*, *JsonStringifier*",
	  0, NULL },

	{ "rpc", CONDITION_FILE, "libgrpc*, libgpr, libthrift*, libbrpc, libtirpc, libdbus-1, libsrpc, cygrpc", 0, NULL },
	{ "rpc", CONDITION_PACKAGE,
	  "grpc, grpc_core, grpc_event_engine, brpc, tonic*, tarpc, jsonrpsee*, net/rpc*, google.golang.org/grpc*, "
	  "connectrpc.com/connect*, github.com/apache/thrift*, io.grpc*, org.apache.thrift*, org.apache.dubbo*, Grpc*",
	  0, NULL },
	{ "rpc", CONDITION_FUNCTION, "grpc_*, apache::thrift::*, sd_bus_*, clnt_*, svc_run*", 0, NULL },

	{ "locking", CONDITION_FUNCTION,
	  "pthread_mutex_*, __pthread_mutex_*, ___pthread_mutex_*, pthread_rwlock_*, __pthread_rwlock_*, ___pthread_rwlock_*, "
	  "pthread_spin_*, pthread_cond_*, __pthread_cond_*, ___pthread_cond_*, pthread_barrier_*, __lll_lock_*, __lll_unlock_*, "
	  "lll_lock_*, lll_mutex_lock*, __futex_abstimed_wait*, futex_wait*, futex_wake*, do_futex*, sem_wait*, sem_post*, sem_timedwait*, "
	  "__new_sem_*, std::mutex::*, std::condition_variable::*, std::shared_mutex::*, __gthread_mutex_*, parking_lot*, "
	  "runtime.lock2*, runtime.unlock2*, runtime.lockWithRank*, runtime.unlockWithRank*, "
	  "runtime.futex*, runtime.semacquire*, runtime.semrelease*, sync.(*Mutex)*, sync.(*RWMutex)*, sync.(*Cond)*, "
	  "internal/sync.(*Mutex)*, take_gil*, drop_gil*, PyThread_acquire_lock*, g_mutex_*, "
	  "native_queued_spin_lock_slowpath*, __pv_queued_spin_lock_slowpath*, __mutex_lock*, __ww_mutex_lock*, mutex_spin_on_owner*, "
	  "rwsem_down_*, osq_lock*, queued_read_lock_slowpath*, queued_write_lock_slowpath*, rt_mutex_*, __rt_mutex_*, rtlock_*",
	  0, NULL },
	{ "locking", CONDITION_CLASS, "ObjectMonitor, ObjectSynchronizer, *::Mutex, *::SharedMutex, *::MutexLock, "
				      "java.util.concurrent.locks.*, System.Threading.Monitor, std::sync::*", 0, NULL },

	{ "memory-allocation", CONDITION_FUNCTION,
	  "malloc, calloc, realloc, free, cfree, memalign, posix_memalign, aligned_alloc, valloc, __libc_malloc, __libc_calloc, "
	  "__libc_realloc, __libc_free, __libc_memalign, __GI___libc_malloc, __GI___libc_free, _int_malloc, _int_free*, _int_realloc, "
	  "_int_memalign, malloc_consolidate, sysmalloc*, systrim*, unlink_chunk*, tcache_*, arena_get2*, _mid_memalign*, "
	  "operator new*, operator delete*, je_*, tcmalloc::*, tc_malloc*, tc_free*, tc_new*, tc_delete*, mi_malloc*, mi_free*, mi_new*, "
	  "_mi_*, mi_heap_*, __rust_alloc*, __rust_dealloc*, __rust_realloc*, __rdl_*, "
	  "runtime.mallocgc*, runtime.newobject*, runtime.makeslice*, runtime.growslice*, runtime.(*mcache)*, runtime.(*mcentral)*, "
	  "runtime.(*mheap).alloc*, runtime.nextFreeFast*, pymalloc_alloc, _PyObject_Malloc*, _PyObject_Free*, _PyObject_Realloc*, "
	  "PyObject_Malloc, PyObject_Free, PyObject_Realloc, PyMem_Malloc, PyMem_Free, PyMem_Realloc, _PyMem_*, _emalloc*, _efree*, "
	  "_erealloc*, _ecalloc*, erts_alcu_*, erts_alloc*, objspace_malloc*, ruby_xmalloc*, g_malloc*, g_free, g_slice_*",
	  0, NULL },
	{ "memory-allocation", CONDITION_FILE, "libjemalloc, libtcmalloc*, libmimalloc*, libscudo*, libhoard", 0, NULL },

	{ "compression", CONDITION_FILE,
	  "libz, libz-ng, libzstd, liblz4, liblzma, libbz2, libbrotli*, libsnappy, libdeflate, libisal, liblzo2, libminizip, zlib.cpython*, "
	  "_bz2, _lzma, gzip, pigz, xz, zstd, lz4, bzip2, brotli, libzip, libbz3",
	  0, NULL },
	{ "compression", CONDITION_FUNCTION,
	  "ZSTD_*, HUF_*, FSE_*, LZ4_*, LZ4HC_*, LZ4F_*, lzma_*, BZ2_*, BrotliEncoder*, BrotliDecoder*, inflate, inflate_*, deflate, "
	  "deflate_*, inflateInit*, deflateInit*, zlib_inflate*, zlib_deflate*, zstd_*, lz4_compress*, LZ4_decompress*, lzo1x_*",
	  0, NULL },
	{ "compression", CONDITION_PACKAGE,
	  "snappy, compress/*, github.com/klauspost/compress*, github.com/golang/snappy*, github.com/pierrec/lz4*, "
	  "github.com/andybalholm/brotli*, flate2, miniz_oxide, zstd*, lz4*, brotli*, snap, java.util.zip*, net.jpountz*, "
	  "org.xerial.snappy*, com.github.luben.zstd*, System.IO.Compression*",
	  0, NULL },

	{ "crypto", CONDITION_FILE,
	  "libcrypto, libssl, libgnutls, libnettle, libhogweed, libgcrypt, libsodium, libmbedcrypto, libmbedtls, libmbedx509, libwolfssl, "
	  "libbotan*, libnss3, libssl3, libfreebl*, libsoftokn3, libcrypt, openssl, libboringssl, libs2n, _hashlib, _sha256, _sha2, _sha512, "
	  "_md5, _blake2, libtomcrypt, libhcrypto",
	  0, NULL },
	{ "crypto", CONDITION_PACKAGE,
	  "crypto/*, vendor/golang.org/x/crypto*, golang.org/x/crypto*, ring, rustls*, aws_lc*, sha1, sha2, sha3, blake2*, blake3, aes*, "
	  "chacha20*, poly1305, curve25519*, ed25519*, rsa, javax.crypto*, com.sun.crypto*, sun.security*, java.security*, "
	  "org.bouncycastle*, System.Security.Cryptography*",
	  0, NULL },
	{ "crypto", CONDITION_AREA, "kernel/crypto", 0, NULL },

	{ "logging", CONDITION_FILE, "liblog4cxx, liblog4cpp, liblog4c, libspdlog, libglog, libboost_log*, libzlog", 0, NULL },
	{ "logging", CONDITION_PACKAGE,
	  "spdlog, log4cxx, log4cpp, log, log/slog*, go.uber.org/zap*, github.com/sirupsen/logrus*, github.com/rs/zerolog*, "
	  "github.com/go-logr*, k8s.io/klog*, github.com/golang/glog*, github.com/hashicorp/go-hclog*, tracing*, env_logger*, log4rs*, "
	  "slog*, org.apache.logging*, org.apache.log4j*, org.slf4j*, ch.qos.logback*, java.util.logging*, Serilog*, NLog*, "
	  "Microsoft.Extensions.Logging*",
	  0, NULL },
	{ "logging", CONDITION_FUNCTION,
	  "google::LogMessage*, boost::log::*, syslog, vsyslog, __vsyslog*, __syslog_chk, sd_journal_send*, sd_journal_print*, "
	  "g_log*, g_logv, vprintk*, _printk, printk, devkmsg_*",
	  0, NULL },

	{ "regex", CONDITION_FILE,
	  "libpcre, libpcre2*, libre2, libonig, libhs, libhs_runtime, librure, libboost_regex*, _sre, _regex, libtre", 0, NULL },
	{ "regex", CONDITION_PACKAGE,
	  "re2, regexp*, regex, regex_automata, regex_syntax, regex_lite, aho_corasick, fancy_regex, java.util.regex*, "
	  "github.com/dlclark/regexp2*, System.Text.RegularExpressions*",
	  0, NULL },
	{ "regex", CONDITION_FUNCTION,
	  "pcre_*, pcre2_*, onig_*, regexec, regcomp, re_search*, re_match*, re_compile*, __re_*, re_search_internal*, "
	  "std::__detail::_Executor*, std::__detail::_Compiler*, std::__detail::_NFA*, std::__cxx11::basic_regex*, "
	  "std::basic_regex*, std::regex_*, boost::re_detail*, "
	  "sre_*, S_regmatch, S_regtry, S_find_byclass, Perl_regexec_flags, Perl_re_*, rb_reg_*, match_at, v8::internal::RegExp*, "
	  "v8::internal::Irregexp*",
	  0, NULL },
};

/* The next one of a list; NULL: there is none. *list is moved on. */
static const char *next_word(const char **list, char *word, size_t bytes)
{
	size_t length;

	*list += strspn(*list, ", ");
	if (!**list)
		return NULL;
	length = strcspn(*list, ",");
	snprintf(word, bytes, "%.*s", (int)length, *list);
	*list += length;
	return word;
}

static bool is_set(const char *name)
{
	for (size_t i = 0; i < SETS; i++) {
		if (!strcmp(sets[i].name, name))
			return true;
	}
	return false;
}

int category_sets_check(const char *choice)
{
	char word[64], names[512] = "";

	if (!choice || !strcmp(choice, "all") || !strcmp(choice, "none"))
		return 0;
	while (next_word(&choice, word, sizeof(word))) {
		if (is_set(word))
			continue;
		for (size_t i = 0, used = 0; i < SETS; i++)
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", i ? ", " : "", sets[i].name);
		message_error("--category-sets: there is no set \"%s\": take all, none, or some of %s", word, names);
		return -EINVAL;
	}
	return 0;
}

static bool is_chosen(const char *choice, const char *name)
{
	char word[64];

	if (!choice || !strcmp(choice, "all"))
		return true;
	while (next_word(&choice, word, sizeof(word))) {
		if (!strcmp(word, name))
			return true;
	}
	return false;
}

static int add_patterns(struct categories *categories, unsigned int match, enum condition condition, const char *patterns)
{
	char word[CATEGORY_PATTERN_MOST + 1];
	int error = 0;

	while (!error && next_word(&patterns, word, sizeof(word)))
		error = categories_add_pattern(categories, match, PART_FRAME, condition, word);
	return error;
}

static int add_set(struct categories *categories, const char *name, const char *label)
{
	int category = categories_add(categories, name, label, MODE_BOTH), error = 0;

	if (category == -EEXIST)
		return 0;
	if (category < 0)
		return category;
	for (size_t i = 0; !error && i < sizeof(matches) / sizeof(matches[0]); i++) {
		int match;

		if (strcmp(matches[i].set, name))
			continue;
		match = categories_add_match(categories, (unsigned int)category, false);
		if (match < 0)
			return match;
		error = add_patterns(categories, (unsigned int)match, matches[i].condition, matches[i].patterns);
		if (!error && matches[i].and_patterns)
			error = add_patterns(categories, (unsigned int)match, matches[i].and, matches[i].and_patterns);
	}
	return error;
}

int category_sets_add(struct categories *categories, const char *choice)
{
	int error = category_sets_check(choice);

	for (size_t i = 0; !error && i < SETS; i++) {
		if (!is_chosen(choice, sets[i].name))
			continue;
		error = add_set(categories, sets[i].name, sets[i].label);
		if (error)
			message_error("the ready-made categories do not fit beside those of the configuration: leave some out by "
				      "category-sets");
	}
	return error;
}
