// SPDX-License-Identifier: GPL-2.0
/* Up the ladder at load, down at unload. The device comes last, for from then on sessions can begin. */
#include <linux/init.h>
#include <linux/ktally.h>
#include <linux/module.h>

#include "admission.h"
#include "cpus.h"
#include "device.h"
#include "lifecycle.h"
#include "offcpu.h"
#include "oncpu.h"
#include "openwaits.h"
#include "spaces.h"
#include "version.h"

static int __init ktally_init(void)
{
	int err;

	err = ktally_lifecycle_init();
	if (err)
		return err;
	err = ktally_offcpu_init();
	if (err)
		return err;
	ktally_oncpu_init();
	err = ktally_openwaits_init();
	if (err)
		return err;
	err = ktally_spaces_init();
	if (err)
		goto err_spaces;
	err = ktally_cpus_init();
	if (err)
		goto err_cpus;
	err = ktally_device_init();
	if (err)
		goto err_device;
	return 0;

err_device:
	ktally_cpus_exit();
err_cpus:
	ktally_spaces_exit();
err_spaces:
	ktally_openwaits_exit();
	return err;
}

static void __exit ktally_exit(void)
{
	ktally_device_exit();
	ktally_admission_exit();
	ktally_cpus_exit();
	ktally_spaces_exit();
	ktally_openwaits_exit();
}

module_init(ktally_init);
module_exit(ktally_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Samples stacks into lock-free rings for continuous profiling");
MODULE_AUTHOR("The ktally authors");
MODULE_VERSION(KTALLY_VERSION);
MODULE_INFO(abi_version, __stringify(KTALLY_ABI_VERSION));
