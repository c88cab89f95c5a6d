//! What a PVH kernel may rely on: boot information, hypercalls, CPUID, registers, exceptions,
//! the local APIC, events by a callback vector, and what it must be refused.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

mod apic;
mod calls;
mod cpu;
mod devices;
mod events;
mod grants;
mod info;
mod memory;
mod smp;

guest_rt::cases! {
    "pvh-basic";
    "info/start-info" => info::start_info,
    "info/memory-map" => info::memory_map,
    "info/command-line" => info::command_line,
    "devices/acpi" => devices::acpi,
    "devices/processors" => devices::processors,
    "devices/io-apic" => devices::io_apic,
    "calls/version" => calls::version,
    "calls/unknown" => calls::unknown,
    "calls/bad-pointers" => calls::bad_pointers,
    "calls/read-only-target" => calls::read_only_target,
    "calls/across-pages" => calls::across_pages,
    "calls/pv-only" => calls::pv_only,
    "calls/which" => calls::which,
    "calls/multicall" => calls::multicall,
    "calls/vm-assist" => calls::vm_assist,
    "calls/physdev" => calls::physdev,
    "calls/mmuext" => calls::mmuext,
    "cpu/cpuid-hypervisor" => cpu::cpuid_hypervisor,
    "cpu/cpuid-features" => cpu::cpuid_features,
    "cpu/tsc-aux" => cpu::tsc_aux,
    "cpu/exceptions" => cpu::exceptions,
    "cpu/page-faults" => cpu::page_faults,
    "cpu/msr-plain" => cpu::msr_plain,
    "cpu/msr-refused" => cpu::msr_refused,
    "cpu/efer" => cpu::efer,
    "cpu/control-registers" => cpu::control_registers,
    "cpu/debug-registers" => cpu::debug_registers,
    "cpu/xcr0" => cpu::xcr0,
    "cpu/no-nested" => cpu::no_nested,
    "cpu/prefixed" => cpu::prefixed,
    "cpu/fpu" => cpu::fpu,
    "memory/large-pages" => memory::large_pages,
    "memory/shared-info" => memory::shared_info,
    "memory/split" => memory::split,
    "memory/hole" => memory::hole,
    "memory/refused" => memory::out_of_reach,
    "memory/moves" => memory::moves,
    "memory/range" => memory::range,
    "memory/batch" => memory::batch,
    "memory/machine-frames" => memory::machine_frames,
    "memory/taken-twice" => memory::taken_twice,
    "grants/place" => grants::place_of_the_table,
    "grants/map-own" => grants::map_own,
    "grants/read-only" => grants::read_only,
    "grants/refused" => grants::refused,
    "grants/copy" => grants::copy,
    "grants/status-frames" => grants::status_frames,
    "apic/identity" => apic::identity,
    "apic/registers" => apic::registers,
    "apic/self-ipi" => apic::self_ipi,
    "apic/priority" => apic::priority,
    "apic/timer-once" => apic::timer_once,
    "apic/timer-periodic" => apic::timer_periodic,
    "apic/timer-deadline" => apic::timer_deadline,
    "apic/halt" => apic::halt,
    "events/callback-vector" => events::callback_vector,
    "events/timer" => events::timer,
    "events/poll" => events::poll,
    "smp/refused" => smp::refused,
    "smp/bring-up" => smp::bring_up,
    "smp/interrupt" => smp::interrupt,
    "smp/nested-flush" => smp::nested_flush,
    "smp/down" => smp::down,
    "smp/init-sipi" => smp::init_sipi,
    "apic/x2apic" => apic::x2apic,
}
