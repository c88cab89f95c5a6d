//! Builds a PVH dom0: memory, kernel, start-of-day structure, first vCPU in flat 32-bit code.
//!
//! `arch-x86/hvm/start_info.h` says what the kernel finds.

use super::acpi;
use super::builder::{BuildError, MAX_VCPUS, create, initial_pages, step};
use super::pvh_map::{self, Part};
use crate::cmdline::Options;
use crate::domain::Domain;
use crate::hv::Hypervisor;
use crate::hvm::devices::Devices;
use crate::loader::{Image, LoadError, Notes};
use crate::log;
use crate::mem::p2m;
use alloc::sync::Arc;
use alloc::vec::Vec;
use machine::boot::MemoryKind;
use machine::hvm::HvmCpu;
use machine::nested::Leaf;
use machine::{Cpu, Gfn, Mfn};
use xen_abi::Errno;
use xen_abi::hvm::*;
use xen_abi::memory::reservation::E820Entry;
use xen_abi::start_info::{SIF_INITDOMAIN, SIF_PRIVILEGED};
use zerocopy::IntoBytes;

/// Everything that the kernel is given lies below this.
const LIMIT: u64 = 1 << 32;

/// Builds it and brings its first vCPU up.
pub fn build(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    options: &Options,
    image: &Image,
    notes: &Notes,
    initrd: &[u8],
    command_line: &str,
) -> Result<Arc<Domain>, BuildError> {
    let entry = notes
        .phys32_entry
        .ok_or(BuildError::Kernel(LoadError::BadElf(
            "it has no entry point for PVH",
        )))?;
    if !cpu.has_hvm() {
        return Err(BuildError::NoHvm);
    }
    let pages = initial_pages(hv, options);
    let max_pages = match options.dom0_mem.max {
        Some(max) => (max.resolve(hv.total_pages << 12) >> 12).max(pages),
        None => u64::from(u32::MAX),
    };
    let vcpus = options.dom0_max_vcpus.resolve(hv.cpus).min(MAX_VCPUS);
    log!(
        hv,
        Info,
        "Dom0 kernel: {} {}, PVH entry {entry:#x}, {pages} pages, {vcpus} vCPUs",
        notes.guest_os,
        notes.guest_version,
    );
    let mut parts = step("dom0's memory map", pvh_map::parts(&hv.boot.memory, pages))?;
    let dom = step("creating dom0", create(hv, cpu, options, vcpus, max_pages))?;
    step("dom0's physical map", make(hv, cpu, &dom))?;
    for (gfn, count) in pvh_map::ram(&parts) {
        step(
            "allocating dom0's memory",
            p2m::fill(hv, cpu, &dom, gfn, count),
        )?;
    }
    step("dom0's devices", devices(hv, cpu, &dom))?;
    step("loading the kernel", load(hv, &dom, image))?;
    let rsdp = step("dom0's ACPI tables", firmware(hv, &dom, &mut parts, vcpus))?;
    let given = Given {
        initrd,
        command_line,
        rsdp,
    };
    let info = place(hv, &dom, &parts, image.end(), &given).ok_or(BuildError::Layout)?;
    step("dom0's memory map", show_map(&dom, &parts))?;
    step("dom0's first vCPU", start(hv, cpu, &dom, entry, info))?;
    Ok(dom)
}

/// Makes the domain a hardware-virtualised one, its vCPUs too.
fn make(hv: &Hypervisor, cpu: &mut Cpu, dom: &Arc<Domain>) -> Result<(), Errno> {
    crate::hvm::make(hv, cpu, dom)?;
    for vcpu in dom.all_vcpus() {
        crate::hvm::make_vcpu(dom, vcpu)?;
    }
    Ok(())
}

/// Puts dom0's devices behind the IOMMUs, which show them the memory that dom0 sees. Without an
/// IOMMU they would reach the host's memory, so dom0 sees none of those on a PCI bus.
fn devices(hv: &Hypervisor, cpu: &mut Cpu, dom: &Domain) -> Result<(), Errno> {
    let hvm = dom.hvm.get().ok_or(Errno::EINVAL)?;
    let behind = machine::iommu::is_there() && {
        for &(first, last) in &hv.platform.device_memory {
            share(hv, cpu, dom, first >> 12, last >> 12)?;
        }
        let table = hv.alloc_block(machine::iommu::TABLE_ORDER);
        machine::iommu::attach(&hvm.nested, table.ok_or(Errno::ENOMEM)?)
    };
    if behind {
        log!(hv, Info, "dom0's devices are behind the IOMMU");
    } else {
        log!(
            hv,
            Warning,
            "No IOMMU that is known: dom0=pvh without PCI devices"
        );
    }
    let devices = Devices::new(hv, behind)?;
    hvm.devices.call_once(|| devices);
    // The hypervisor's clock.
    if let Some(addr) = hv.platform.hpet {
        dom.irqs.permit_iomem(addr >> 12, addr >> 12, false)?;
    }
    Ok(())
}

/// Most frames that devices use behind the system's back: 64 MiB.
const MOST_SHARED: u64 = 1 << 14;

/// Maps memory that devices use of themselves, where it is not RAM.
fn share(hv: &Hypervisor, cpu: &mut Cpu, dom: &Domain, first: u64, last: u64) -> Result<(), Errno> {
    if last.saturating_sub(first) >= MOST_SHARED {
        return Err(Errno::E2BIG);
    }
    for mfn in (first..=last).filter(|&mfn| !hv.is_ram(Mfn(mfn))) {
        p2m::set(hv, cpu, dom, Gfn(mfn), Leaf::Mmio(Mfn(mfn)))?;
    }
    Ok(())
}

/// Copies `data` to guest-physical address `at`.
fn copy(hv: &Hypervisor, dom: &Domain, at: u64, data: &[u8]) -> Result<(), Errno> {
    let mut done = 0;
    while done < data.len() {
        let gpa = at.checked_add(done as u64).ok_or(Errno::EINVAL)?;
        let offset = gpa as usize & 4095;
        let len = (4096 - offset).min(data.len() - done);
        let page = dom.page(hv.mem, Gfn(gpa >> 12)).ok_or(Errno::EINVAL)?;
        page.write(offset, data.get(done..done + len).unwrap_or_default());
        done += len;
    }
    Ok(())
}

/// The kernel at its physical addresses. Memory is clear before.
fn load(hv: &Hypervisor, dom: &Domain, image: &Image) -> Result<(), Errno> {
    for segment in image.segments() {
        copy(hv, dom, segment.paddr, segment.data)?;
        // All of it must be there.
        for gfn in segment.paddr >> 12..(segment.paddr + segment.memsz).div_ceil(4096) {
            dom.page(hv.mem, Gfn(gfn)).ok_or(Errno::EINVAL)?;
        }
    }
    Ok(())
}

/// Writes dom0's ACPI tables to where its map then has them; the root pointer's address, zero
/// on a machine without.
fn firmware(
    hv: &Hypervisor,
    dom: &Domain,
    parts: &mut Vec<Part>,
    vcpus: u32,
) -> Result<u64, Errno> {
    if hv.platform.rsdp == 0 {
        return Ok(0);
    }
    let len = acpi::tables(hv, vcpus, 0)?.len() as u64;
    let at = pvh_map::set_aside(parts, len.div_ceil(4096))?;
    copy(hv, dom, at, &acpi::tables(hv, vcpus, at)?)?;
    Ok(at)
}

/// What the kernel is given.
struct Given<'a> {
    initrd: &'a [u8],
    command_line: &'a str,
    rsdp: u64,
}

/// Puts the initrd and the start-of-day structure behind the kernel; the structure's address.
fn place(hv: &Hypervisor, dom: &Domain, parts: &[Part], end: u64, given: &Given) -> Option<u64> {
    let Given {
        initrd,
        command_line,
        rsdp,
    } = *given;
    // The tables stand at the end of RAM.
    let limit = if rsdp == 0 { LIMIT } else { rsdp };
    let mut at = end.next_multiple_of(4096);
    let mut put = |data: &[u8]| {
        let here = at;
        copy(hv, dom, here, data).ok()?;
        at = here.checked_add(data.len() as u64)?.next_multiple_of(8);
        (at <= limit).then_some(here)
    };
    let initrd_at = put(initrd)?;
    let line_at = put(command_line.as_bytes())?;
    // Its end, and then some: `put` leaves the rest of eight bytes, but not always one.
    put(&[0; 8])?;
    let module = HvmModlistEntry {
        paddr: initrd_at,
        size: initrd.len() as u64,
        ..Default::default()
    };
    let modlist = put(module.as_bytes())?;
    let mut memmap = None;
    for part in parts {
        let entry = HvmMemmapTableEntry {
            addr: part.start,
            size: part.end - part.start,
            r#type: part.kind as u32,
            reserved: 0,
        };
        let here = put(entry.as_bytes())?;
        memmap.get_or_insert(here);
    }
    let has_initrd = !initrd.is_empty();
    let info = HvmStartInfo {
        magic: XEN_HVM_START_MAGIC_VALUE,
        version: 1,
        flags: SIF_PRIVILEGED | SIF_INITDOMAIN,
        nr_modules: has_initrd.into(),
        modlist_paddr: if has_initrd { modlist } else { 0 },
        cmdline_paddr: line_at,
        rsdp_paddr: rsdp,
        memmap_paddr: memmap.unwrap_or(0),
        memmap_entries: parts.len() as u32,
        reserved: 0,
    };
    put(info.as_bytes())
}

/// The map as `XENMEM_memory_map` gives it.
fn show_map(dom: &Domain, parts: &[Part]) -> Result<(), Errno> {
    let mut entries = Vec::new();
    entries
        .try_reserve_exact(parts.len())
        .map_err(|_| Errno::ENOMEM)?;
    let halves = |value: u64| [value as u32, (value >> 32) as u32];
    entries.extend(parts.iter().map(|part| E820Entry {
        addr: halves(part.start),
        size: halves(part.end - part.start),
        r#type: part.kind as u32,
    }));
    debug_assert!(parts.iter().any(|part| part.kind == MemoryKind::Ram));
    *dom.memory_map.lock() = entries;
    Ok(())
}

fn start(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    dom: &Arc<Domain>,
    entry: u32,
    info: u64,
) -> Result<(), Errno> {
    let vcpu = dom.vcpu(0).ok_or(Errno::ENOENT)?;
    {
        let mut state = vcpu.state.lock();
        let hvm = state.hvm.as_mut().ok_or(Errno::EINVAL)?;
        hvm.start_flat(entry, info);
        state.initialised = true;
    }
    hv.sched.set_online(cpu, dom, vcpu, true);
    Ok(())
}
