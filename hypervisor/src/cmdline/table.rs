//! Every option by name, and what becomes of it: the list behind the documentation too.

use super::value::{Parsed, Value, size};
use super::{Options, console, cpu, dom0, machine_options, reboot, sched, serial};

/// What an option does.
#[derive(Clone, Copy, Debug)]
pub enum Status {
    /// It is parsed into [`Options`].
    Implemented(Apply),
    /// It is one of Xen's that has no effect here, and why.
    Ignored(&'static str),
    /// It means nothing by design.
    Silent,
}

/// Parses a value into the options. Not to be named elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Apply(for<'a> fn(&mut Options, Value<'a>) -> Parsed);

impl Apply {
    pub(super) fn call(self, options: &mut Options, value: Value<'_>) -> Parsed {
        (self.0)(options, value)
    }
}

/// An option that is obeyed.
const fn does(apply: for<'a> fn(&mut Options, Value<'a>) -> Parsed) -> Status {
    Status::Implemented(Apply(apply))
}

/// An option that sets one flag.
macro_rules! flag {
    ($field:ident) => {
        does(|options, value| {
            options.$field = value.boolean()?;
            Ok(())
        })
    };
}

const DEBUGGING: Status = Status::Ignored("this debugging aid does not exist here");
const POWER: Status = Status::Ignored("power management is left to the firmware and the CPU");
const HVM: Status =
    Status::Ignored("hardware virtual machines are in work and have no such setting yet");
const IOMMU: Status = Status::Ignored("an IOMMU is used for dom0=pvh, and then as it is");
const SCHED: Status = Status::Ignored("the scheduler has no such setting");
const MCE: Status = Status::Ignored("machine checks are reported and fatal");
const NUMA: Status = Status::Ignored("memory is treated as one node");
const VIDEO: Status = Status::Ignored("the screen keeps the boot loader's mode");
const KEXEC: Status = Status::Ignored("a crash kernel is not supported yet");
const HARDWARE: Status = Status::Ignored("the hardware is used as its tables describe it");
const GRANTS: Status = Status::Ignored("limits are the built-in ones");
const CPUID: Status =
    Status::Ignored("what guests see is in their CPU policies, which the tools set");
const DOM0: Status = Status::Ignored("dom0 cannot be restricted this way yet");

/// All options, by name.
pub const STATUS: &[(&str, Status)] = &[
    ("availmem", does(machine_options::availmem)),
    ("badpage", does(machine_options::badpage)),
    ("clocksource", does(machine_options::clocksource)),
    ("com1", does(serial::com1)),
    ("com2", does(serial::com2)),
    ("conring_size", does(conring_size)),
    ("console", does(console::console)),
    ("console_timestamps", does(console::timestamps)),
    ("console_to_ring", flag!(console_to_ring)),
    ("conswitch", does(console::conswitch)),
    ("cpuinfo", flag!(cpuinfo)),
    ("dom0", does(dom0::dom0)),
    ("dom0_ioports_disable", does(dom0::dom0_ioports_disable)),
    ("dom0_max_vcpus", does(dom0::dom0_max_vcpus)),
    ("dom0_mem", does(dom0::dom0_mem)),
    ("dom0_vcpus_pin", flag!(dom0_vcpus_pin)),
    ("guest_loglvl", does(console::guest_loglvl)),
    ("loglvl", does(console::loglvl)),
    ("maxcpus", does(machine_options::maxcpus)),
    ("mem", does(machine_options::mem)),
    ("noreboot", flag!(noreboot)),
    ("nosmp", does(machine_options::nosmp)),
    ("reboot", does(reboot::reboot)),
    ("sched", does(sched::sched)),
    ("sched-gran", does(sched::granularity)),
    ("sched_ratelimit_us", does(sched::ratelimit)),
    (
        "smap",
        does(|options, value| {
            options.smap = machine_options::prevention(value)?;
            Ok(())
        }),
    ),
    (
        "smep",
        does(|options, value| {
            options.smep = machine_options::prevention(value)?;
            Ok(())
        }),
    ),
    ("spec-ctrl", does(cpu::spec_ctrl)),
    ("sync_console", flag!(sync_console)),
    ("tdt", flag!(tdt)),
    (
        "x2apic",
        does(|options, value| {
            options.x2apic = Some(value.boolean()?);
            Ok(())
        }),
    ),
    ("xpti", does(cpu::xpti)),
    // GRUB's stand-in for an empty line.
    ("placeholder", Status::Silent),
    ("acpi", HARDWARE),
    ("acpi_apic_instance", HARDWARE),
    ("acpi_pstate_strict", POWER),
    ("acpi_skip_timer_override", HARDWARE),
    ("acpi_sleep", POWER),
    ("allow_unsafe", HARDWARE),
    ("altp2m", HVM),
    ("apic", HARDWARE),
    (
        "apic_verbosity",
        Status::Ignored("what there is to say is said always"),
    ),
    ("apicv", HVM),
    ("arat", POWER),
    ("argo", Status::Ignored("Argo is not supported")),
    ("asid", HVM),
    ("async-show-all", DEBUGGING),
    ("ats", IOMMU),
    (
        "bootscrub",
        Status::Ignored("memory is cleared when it is given out"),
    ),
    (
        "bootscrub_chunk",
        Status::Ignored("memory is cleared when it is given out"),
    ),
    ("buddy-alloc-size", HARDWARE),
    (
        "cet",
        Status::Ignored("shadow stacks and branch tracking are not used yet"),
    ),
    ("cmci-threshold", MCE),
    ("cmos-rtc-probe", HARDWARE),
    ("core_parking", POWER),
    ("cpu_type", DEBUGGING),
    ("cpufreq", POWER),
    ("cpuid", CPUID),
    ("cpuid_mask_cpu", CPUID),
    ("cpuid_mask_ecx", CPUID),
    ("cpuid_mask_edx", CPUID),
    ("cpuid_mask_ext_ecx", CPUID),
    ("cpuid_mask_ext_edx", CPUID),
    ("cpuid_mask_l7s0_eax", CPUID),
    ("cpuid_mask_l7s0_ebx", CPUID),
    ("cpuid_mask_thermal_ecx", CPUID),
    ("cpuid_mask_xsave_eax", CPUID),
    ("cpuidle", POWER),
    ("crash-debug-debugkey", DEBUGGING),
    ("crash-debug-hwdom", DEBUGGING),
    ("crash-debug-kexeccmd", DEBUGGING),
    ("crash-debug-panic", DEBUGGING),
    ("crash-debug-watchdog", DEBUGGING),
    ("crashinfo_maxaddr", KEXEC),
    ("crashkernel", KEXEC),
    ("dbgp", DEBUGGING),
    ("debug_stack_lines", DEBUGGING),
    ("debugtrace", DEBUGGING),
    (
        "dit",
        Status::Ignored("data-independent timing is not switched yet"),
    ),
    ("dma_bits", HARDWARE),
    ("dom0-cpuid", CPUID),
    ("dom0-iommu", IOMMU),
    ("dom0_nodes", NUMA),
    ("e820-mtrr-clip", HARDWARE),
    (
        "e820-verbose",
        Status::Ignored("the memory map is shown always"),
    ),
    (
        "edd",
        Status::Ignored("the firmware's disk data are not read"),
    ),
    ("edid", VIDEO),
    ("efi", HARDWARE),
    ("ept", HVM),
    ("ext_regions", HVM),
    ("extra_guest_irqs", GRANTS),
    ("fatal_mce", MCE),
    ("font", VIDEO),
    ("force-ept", HVM),
    ("gdb", DEBUGGING),
    ("global-pages", Status::Ignored("chosen by the CPU")),
    ("gnttab", GRANTS),
    ("gnttab_max_frames", GRANTS),
    ("gnttab_max_maptrack_frames", GRANTS),
    ("hap", HVM),
    ("hap_1gb", HVM),
    ("hap_2mb", HVM),
    ("hardware_dom", DOM0),
    ("hest_disable", MCE),
    ("highmem-start", NUMA),
    ("hpet", HARDWARE),
    ("hpet_broadcast", HARDWARE),
    ("hpetbroadcast", HARDWARE),
    ("hvm_debug", HVM),
    ("hvm_fep", HVM),
    ("hvm_port80", HVM),
    ("idle_latency_factor", POWER),
    ("invpcid", Status::Ignored("chosen by the CPU")),
    ("ioapic_ack", HARDWARE),
    ("iommu", IOMMU),
    ("iommu_dev_iotlb_timeout", IOMMU),
    ("iommu_inclusive_mapping", IOMMU),
    ("irq-max-guests", GRANTS),
    ("irq_ratelimit", GRANTS),
    ("irq_vector_map", HARDWARE),
    ("ivmd", IOMMU),
    ("ivrs_hpet", IOMMU),
    ("ivrs_ioapic", IOMMU),
    ("lapic", HARDWARE),
    ("lapic_timer_c2_ok", POWER),
    ("ler", DEBUGGING),
    ("llc-coloring", NUMA),
    ("low_crashinfo", KEXEC),
    ("low_mem_virq_limit", GRANTS),
    ("max_cstate", POWER),
    ("max_gsi_irqs", HARDWARE),
    ("mce", MCE),
    ("mce_fb", MCE),
    ("mce_verbosity", MCE),
    ("memop-max-order", GRANTS),
    ("mmcfg", HARDWARE),
    (
        "mmio-relax",
        Status::Ignored("device memory is mapped as the guest asks"),
    ),
    ("msi", HARDWARE),
    ("mtrr.show", DEBUGGING),
    ("mwait-idle", POWER),
    ("nmi", Status::Ignored("NMIs go to dom0")),
    (
        "no-real-mode",
        Status::Ignored("the firmware is never called in real mode"),
    ),
    ("noapic", HARDWARE),
    (
        "noirqbalance",
        Status::Ignored("interrupts are not moved by themselves"),
    ),
    ("nolapic", HARDWARE),
    ("nomce", MCE),
    ("nr_irqs", GRANTS),
    ("numa", NUMA),
    ("partial-emulation", HARDWARE),
    ("pci", HARDWARE),
    ("pci-passthrough", IOMMU),
    ("pci-phantom", IOMMU),
    ("pcid", Status::Ignored("chosen by the CPU")),
    ("pku", HVM),
    ("ple_gap", HVM),
    ("ple_window", HVM),
    ("preferred-cstates", POWER),
    ("probe-port-aliases", HARDWARE),
    (
        "psr",
        Status::Ignored("cache and bandwidth allocation is not supported yet"),
    ),
    ("pv", Status::Ignored("PV guests are 64-bit ones")),
    (
        "pv-l1tf",
        Status::Ignored("the hypervisor refuses dangerous entries always"),
    ),
    ("pv-linear-pt", flag!(linear_tables)),
    (
        "pv-shim",
        Status::Ignored("running inside of a guest is not supported yet"),
    ),
    ("rcu-idle-timer-period-ms", SCHED),
    ("rmrr", IOMMU),
    ("ro-hpet", HARDWARE),
    ("sched_credit2_migrate_resist", SCHED),
    (
        "sched_credit_tslice_ms",
        Status::Ignored("the scheduler credit is not there"),
    ),
    ("sched_smt_power_savings", SCHED),
    (
        "scrub-domheap",
        Status::Ignored("memory is cleared when it is given out"),
    ),
    (
        "serial_tx_buffer",
        Status::Ignored("the buffer's size is fixed"),
    ),
    ("smt", SCHED),
    ("snb_igd_quirk", IOMMU),
    ("tboot", HARDWARE),
    ("tbuf_size", DEBUGGING),
    ("tdp", HVM),
    ("tevt_mask", DEBUGGING),
    ("tickle_one_idle_cpu", SCHED),
    (
        "timer_slop",
        Status::Ignored("timers fire when they are due"),
    ),
    ("tsc", Status::Ignored("chosen by the CPU")),
    ("tsx", CPUID),
    (
        "ucode",
        Status::Ignored("microcode is left to the firmware"),
    ),
    ("unrestricted_guest", HVM),
    (
        "vcpu_migration_delay",
        Status::Ignored("the scheduler credit is not there"),
    ),
    ("vesa-map", VIDEO),
    ("vesa-mtrr", VIDEO),
    ("vesa-ram", VIDEO),
    ("vga", VIDEO),
    ("viridian-spinlock-retry-count", HVM),
    ("viridian-version", HVM),
    ("vm-notify-window", HVM),
    ("vpid", HVM),
    (
        "vpmu",
        Status::Ignored("performance counters are not virtualised yet"),
    ),
    (
        "wallclock",
        Status::Ignored("the wall clock is read from the clock chip"),
    ),
    ("watchdog", DEBUGGING),
    ("watchdog_timeout", DEBUGGING),
    ("x2apic_phys", HARDWARE),
    ("xsave", Status::Ignored("chosen by the CPU")),
    ("xsm", does(super::xsm::xsm)),
];

/// The row of `name`.
pub(super) fn find(name: &str) -> Option<&'static Status> {
    // `ivrs_hpet[0]` and the like.
    let family = name.split('[').next().unwrap_or(name);
    STATUS
        .iter()
        .find(|(known, _)| *known == family)
        .map(|(_, status)| status)
}

fn conring_size(options: &mut Options, value: Value<'_>) -> Parsed {
    let bytes = size(value.required()?)?;
    if bytes > 64 << 20 {
        return Err("at most 64M is allowed");
    }
    options.conring_size = bytes;
    Ok(())
}
