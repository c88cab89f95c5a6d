//! What a PV kernel must not be able to do, and how it is told so: every expected error is what
//! Xen 4.20 gives.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

mod access;
mod calls;
mod descriptors;
mod events;
mod grants;
mod memory;
mod pins;
mod pointers;
mod tables;
mod traps;
mod vcpus;

guest_rt::cases! { "pv-hostile";
    "map-frames-of-nobody" => tables::foreign_frames,
    "map-hypervisor-frames" => tables::hypervisor_frames,
    "map-table-writable" => tables::table_writable,
    "map-reserved-bits" => tables::reserved_bits,
    "mmu-update-foreign-table" => tables::foreign_table,
    "mmu-update-no-table" => tables::no_table,
    "mmu-update-bad-command" => tables::bad_command,
    "mmu-update-bad-domain" => tables::bad_domain,
    "mmu-update-machphys-foreign" => tables::machphys_foreign,
    "l4-reserved-slots" => tables::l4_reserved,
    "l4-self-map-writable" => tables::self_map,
    "l3-to-l1" => tables::wrong_level,
    "superpages" => tables::superpages,
    "uncached-tables" => tables::uncached,
    "update-va-bad-address" => tables::bad_va,
    "update-va-otherdomain" => tables::other_domain,
    "direct-write-to-tables" => tables::direct_writes,
    "pin-garbage" => pins::garbage,
    "pin-writable" => pins::writable,
    "pin-twice" => pins::twice,
    "pin-foreign" => pins::foreign,
    "pin-wrong-type" => pins::wrong_type,
    "unpin-unpinned" => pins::unpin,
    "baseptr-garbage" => pins::baseptr,
    "user-baseptr-garbage" => pins::user_baseptr,
    "mmuext-unknown" => pins::unknown,
    "mmuext-clear-copy-table" => pins::clear_copy,
    "mmuext-bad-vcpumask" => pins::vcpumask,
    "gdt-bad-frames" => descriptors::bad_frames,
    "gdt-bad-descriptors" => descriptors::bad_descriptors,
    "gdt-frame-writable" => descriptors::writable,
    "gdt-reserved-entries" => descriptors::reserved,
    "ldt-bad" => descriptors::ldt,
    "ldt-call-gate" => descriptors::ldt_gate,
    "update-descriptor-bad" => descriptors::update_refused,
    "hypervisor-selectors" => descriptors::hypervisor_selectors,
    "pointers-version" => pointers::version,
    "pointers-evtchn" => pointers::evtchn,
    "pointers-vcpu" => pointers::vcpu,
    "pointers-sched" => pointers::sched,
    "pointers-memory" => pointers::memory,
    "pointers-grant" => pointers::grant,
    "pointers-mmu" => pointers::mmu,
    "pointers-console" => pointers::console,
    "pointers-multicall" => pointers::multicall,
    "pointers-descriptors" => pointers::descriptors,
    "pointers-control" => pointers::control,
    "pointers-read-only" => pointers::read_only,
    "unknown-hypercalls" => calls::unknown,
    "unknown-sub-ops" => calls::sub_ops,
    "interface-versions" => calls::interface_versions,
    "multicall-huge" => calls::multicall_huge,
    "multicall-nested" => calls::multicall_nested,
    "console-bad" => calls::console,
    "physdev-bad" => calls::physdev,
    "debug-registers-bad" => calls::debug_registers,
    "segment-base-bad" => calls::segment_base,
    "timer-extremes" => calls::timers,
    "poll-bad" => calls::poll,
    "shutdown-bad" => calls::shutdown,
    "evtchn-bad-ports" => events::ports,
    "evtchn-bad-domains" => events::domains,
    "evtchn-bad-virqs" => events::virqs,
    "evtchn-bad-vcpus" => events::vcpus,
    "evtchn-fifo-bad" => events::fifo,
    "evtchn-exhaust" => events::exhaust,
    "vcpu-bad-ids" => vcpus::ids,
    "vcpu-initialise-bad" => vcpus::initialise,
    "vcpu-areas-bad" => vcpus::areas,
    "memory-bad-frames" => memory::frames,
    "memory-bad-extents" => memory::extents,
    "memory-bad-domains" => memory::domains,
    "grant-bad-map" => grants::map,
    "grant-bad-unmap" => grants::unmap,
    "grant-bad-copy" => grants::copy,
    "grant-bad-sizes" => grants::sizes,
    "read-hypervisor" => access::read_hypervisor,
    "write-m2p" => access::write_m2p,
    "execute-hypervisor" => access::execute,
    "ports-forbidden" => access::ports,
    "msrs-forbidden" => access::msrs,
    "instructions-forbidden" => access::instructions,
    "control-registers-forbidden" => access::control_registers,
    "trap-table-bad" => traps::table,
    "callback-bad" => traps::callback,
    "iret-bad" => traps::iret,
    "stack-switch-bad" => traps::stack,
}

/// A frame of RAM that is neither this domain's nor I/O space.
pub fn free_frame() -> u64 {
    let mut mfn = 0x4000;
    while mfn < 0x30000 {
        match guest_rt::mem::mfn_to_pfn(mfn) {
            Ok(pfn) if guest_rt::mem::pfn_to_mfn(pfn) == mfn => mfn += 1,
            _ => return mfn,
        }
    }
    mfn
}

/// Addresses of the hypervisor: its M2P, its image, its direct map, the far end.
pub const HYPERVISOR: [u64; 4] = [
    0xffff_8000_0000_0000,
    0xffff_82d0_4020_0000,
    0xffff_8300_0000_0000,
    0xffff_87ff_ffff_f000,
];

/// An address that is no address.
pub const NON_CANONICAL: u64 = 0x1234_5678_0000_0000;
/// A page where nothing is mapped.
pub const NOWHERE: u64 = 0x66_6666_6000;
