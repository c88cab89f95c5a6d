//! What a PVH kernel may rely on: boot information, hypercalls, CPUID, registers, exceptions,
//! the local APIC, events by a callback vector, and what it must be refused.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

mod apic;
mod calls;
mod cpu;
mod events;
mod info;
mod memory;
mod smp;

guest_rt::cases! {
    "pvh-basic";
    "info/start-info" => info::start_info,
    "info/memory-map" => info::memory_map,
    "info/command-line" => info::command_line,
    "calls/version" => calls::version,
    "calls/unknown" => calls::unknown,
    "calls/bad-pointers" => calls::bad_pointers,
    "calls/read-only-target" => calls::read_only_target,
    "calls/across-pages" => calls::across_pages,
    "calls/pv-only" => calls::pv_only,
    "cpu/cpuid-hypervisor" => cpu::cpuid_hypervisor,
    "cpu/cpuid-features" => cpu::cpuid_features,
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
    "memory/refused" => memory::refused,
    "apic/identity" => apic::identity,
    "apic/registers" => apic::registers,
    "apic/self-ipi" => apic::self_ipi,
    "apic/priority" => apic::priority,
    "apic/timer-once" => apic::timer_once,
    "apic/timer-periodic" => apic::timer_periodic,
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
