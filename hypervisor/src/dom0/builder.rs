//! Builds dom0 from the loader's modules: memory, kernel, first page tables, start-of-day
//! page, first vCPU.

use super::layout::Layout;
use super::memory::Frames;
use super::tables::Builder;
use crate::cmdline::{Dom0Mode, Options};
use crate::domain::{Domain, Vcpu};
use crate::fail::Fail;
use crate::hv::Hypervisor;
use crate::loader::{self, Image, LoadError, Notes, Placement};
use crate::mem::Tables;
use crate::{log, say};
use alloc::sync::Arc;
use machine::regs::rflags;
use machine::{Cpu, CpuMask, PageType};
use xen_abi::Errno;
use xen_abi::arch_x86::{VGCF_in_kernel, VcpuGuestContext};
use xen_abi::start_info::*;
use zerocopy::IntoBytes;

/// Largest kernel image after decompression.
const MAX_KERNEL: usize = 512 << 20;
/// dom0's vCPUs at most.
pub(super) const MAX_VCPUS: u32 = 128;

/// Why dom0 could not be built.
#[derive(Debug)]
pub enum BuildError {
    /// The kernel module is not one that can be started.
    Kernel(LoadError),
    /// It has no Xen notes: it is not made for this.
    NotForXen,
    /// The processor has no hardware virtualisation that is supported, or it is switched off.
    NoHvm,
    /// It and its memory do not fit together.
    Layout,
    /// A step failed; usually memory ran out.
    Step(&'static str, Errno),
}

impl core::fmt::Display for BuildError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            BuildError::Kernel(error) => write!(f, "the kernel cannot be loaded: {error}"),
            BuildError::NotForXen => {
                f.write_str("the kernel has no Xen ELF notes: is CONFIG_XEN_PV off in it?")
            }
            BuildError::NoHvm => {
                f.write_str("dom0=pvh needs AMD-V with nested paging, switched on in the firmware")
            }
            BuildError::Layout => f.write_str("the kernel and initrd do not fit: raise dom0_mem"),
            BuildError::Step(what, errno) => write!(f, "{what} failed: {errno}"),
        }
    }
}

pub(super) fn step<T>(what: &'static str, result: Result<T, Errno>) -> Result<T, BuildError> {
    result.map_err(|errno| BuildError::Step(what, errno))
}

/// Frames that dom0 starts with: as `dom0_mem` says, by default all but a sixteenth, of which
/// 128 MiB at most are kept.
pub(super) fn initial_pages(hv: &Hypervisor, options: &Options) -> u64 {
    let free = hv.heap.lock().free_frames();
    let mem = &options.dom0_mem;
    let keep = (free / 16).min((128 << 20) >> 12);
    let mut pages = free.saturating_sub(keep);
    if let Some(amount) = mem.initial {
        pages = amount.resolve(free << 12) >> 12;
    }
    if let Some(min) = mem.min {
        pages = pages.max(min.resolve(free << 12) >> 12);
    }
    if let Some(max) = mem.max {
        pages = pages.min(max.resolve(free << 12) >> 12);
    }
    pages.min(free.saturating_sub((8 << 20) >> 12))
}

/// Builds dom0 of the kernel and initrd given, and brings its first vCPU up.
pub fn build(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    options: &Options,
    kernel: &[u8],
    initrd: &[u8],
    command_line: &str,
) -> Result<Arc<Domain>, BuildError> {
    let elf = loader::kernel(kernel, MAX_KERNEL).map_err(BuildError::Kernel)?;
    let image = Image::parse(&elf).map_err(BuildError::Kernel)?;
    let notes = Notes::parse(&image)
        .map_err(BuildError::Kernel)?
        .ok_or(BuildError::NotForXen)?;
    if options.dom0_mode == Dom0Mode::Pvh {
        return super::pvh::build(hv, cpu, options, &image, &notes, initrd, command_line);
    }
    let place = Placement::new(&image, &notes).map_err(BuildError::Kernel)?;
    let pages = initial_pages(hv, options);
    let layout =
        Layout::new(&place, &notes, initrd.len() as u64, pages).ok_or(BuildError::Layout)?;
    let max_pages = match options.dom0_mem.max {
        Some(max) => (max.resolve(hv.total_pages << 12) >> 12).max(pages),
        None => u64::from(u32::MAX),
    };
    let vcpus = options.dom0_max_vcpus.resolve(hv.cpus).min(MAX_VCPUS);
    log!(
        hv,
        Info,
        "Dom0 kernel: {} {}, entry {:#x}, {} pages, {} vCPUs",
        notes.guest_os,
        notes.guest_version,
        place.entry,
        pages,
        vcpus
    );
    if options.dom0_verbose {
        say!(hv, "Dom0 kernel's notes: {notes:x?}");
        say!(hv, "Dom0's memory: {layout:x?}, {max_pages} pages at most");
    }
    if command_line.len() >= MAX_GUEST_CMDLINE {
        log!(
            hv,
            Warning,
            "dom0's command line is cut to {} bytes",
            MAX_GUEST_CMDLINE - 1
        );
    }
    let dom = step("creating dom0", create(hv, cpu, options, vcpus, max_pages))?;
    let frames = step(
        "allocating dom0's memory",
        Frames::allocate(hv, &dom, pages),
    )?;
    step(
        "loading the kernel",
        load_image(hv, &dom, &frames, &image, &place, &layout),
    )?;
    step(
        "loading the initrd",
        copy(hv, &dom, &frames, layout.initrd_pfn, initrd),
    )?;
    step(
        "the hypercall page",
        hypercall_page(hv, &dom, &frames, &notes, &layout),
    )?;
    step("the frame list", write_p2m(hv, &dom, &frames, &layout))?;
    let info = start_info(&dom, &layout, &notes, pages, command_line);
    let at = layout.pfn(layout.start_info);
    step(
        "the start-of-day page",
        copy(hv, &dom, &frames, at, &[0; 4096]),
    )?;
    step(
        "the start-of-day page",
        copy(hv, &dom, &frames, at, info.as_bytes()),
    )?;
    step("the first page tables", map(hv, &dom, &frames, &layout))?;
    let root = frames
        .page(hv, &dom, layout.pfn(layout.tables))
        .ok_or(BuildError::Step("the root table", Errno::EINVAL))?;
    let ctx = first_context(&place, &layout, root.mfn().addr());
    step(
        "validating the first page tables",
        start(hv, cpu, &dom, &ctx),
    )?;
    debug_assert!(root.info().is_validated(PageType::L4));
    Ok(dom)
}

pub(super) fn create(
    hv: &Hypervisor,
    cpu: &Cpu,
    options: &Options,
    vcpus: u32,
    max_pages: u64,
) -> Result<Arc<Domain>, Errno> {
    let shared = hv
        .alloc_block(0)
        .and_then(|b| b.into_page(true))
        .ok_or(Errno::ENOMEM)?;
    // The guest maps it by its frame number: it is the domain's, but not in its allocation.
    shared.clear();
    shared.info().set_owner(0);
    hv.mem.set_m2p(shared.mfn(), u64::MAX);
    let dom = Domain::new(0, true, vcpus, max_pages, shared)?;
    for id in 0..vcpus {
        let vcpu = Vcpu::new(&dom, id, id % hv.cpus).ok_or(Errno::ENOMEM)?;
        if options.dom0_vcpus_pin {
            let one = CpuMask::one(id % hv.cpus);
            hv.sched
                .set_affinity(cpu, &dom, &vcpu, &one, &hv.all_cpus())?;
        }
        if let Some(slot) = dom.vcpus.get(id as usize) {
            slot.call_once(|| vcpu);
        }
    }
    crate::irq::restrict_control_domain(hv, &dom)?;
    for &(first, last) in &options.dom0_ioports_disable {
        dom.irqs.permit_ports(first, last, false)?;
    }
    if !hv.domains.insert(dom.clone()) {
        return Err(Errno::EEXIST);
    }
    Ok(dom)
}

/// Copies `data` into the domain's frames from `pfn` on.
fn copy(
    hv: &Hypervisor,
    dom: &Domain,
    frames: &Frames,
    pfn: u64,
    data: &[u8],
) -> Result<(), Errno> {
    for (i, chunk) in data.chunks(4096).enumerate() {
        let page = frames.page(hv, dom, pfn + i as u64).ok_or(Errno::EINVAL)?;
        page.write(0, chunk);
    }
    Ok(())
}

fn load_image(
    hv: &Hypervisor,
    dom: &Domain,
    frames: &Frames,
    image: &Image,
    place: &Placement,
    layout: &Layout,
) -> Result<(), Errno> {
    for segment in image.segments() {
        let va = place.vaddr(segment.paddr);
        let mut done = 0u64;
        while done < segment.memsz {
            let at = va + done;
            let offset = (at & 4095) as usize;
            let room = (4096 - offset) as u64;
            let len = room.min(segment.memsz - done);
            let page = frames.page(hv, dom, layout.pfn(at)).ok_or(Errno::EINVAL)?;
            let data = segment.data.get(done as usize..).unwrap_or_default();
            let data = data.get(..len as usize).unwrap_or(data);
            if data.is_empty() && offset == 0 && len == 4096 {
                page.clear();
            } else {
                page.write(offset, data);
                for byte in offset + data.len()..offset + len as usize {
                    page.write(byte, &[0]);
                }
            }
            done += len;
        }
    }
    Ok(())
}

fn hypercall_page(
    hv: &Hypervisor,
    dom: &Domain,
    frames: &Frames,
    notes: &Notes,
    layout: &Layout,
) -> Result<(), Errno> {
    let Some(va) = notes.hypercall_page else {
        return Ok(());
    };
    let page = frames.page(hv, dom, layout.pfn(va)).ok_or(Errno::EINVAL)?;
    super::fill_hypercall_page(&page);
    Ok(())
}

fn write_p2m(hv: &Hypervisor, dom: &Domain, frames: &Frames, layout: &Layout) -> Result<(), Errno> {
    let mut mfns = frames.mfns();
    for i in 0..layout.p2m_frames {
        let page = frames
            .page(hv, dom, layout.p2m_pfn + i)
            .ok_or(Errno::EINVAL)?;
        for slot in page.words() {
            let mfn = mfns.next().unwrap_or(u64::MAX);
            slot.store(mfn, core::sync::atomic::Ordering::Relaxed);
        }
    }
    Ok(())
}

fn map(hv: &Hypervisor, dom: &Domain, frames: &Frames, layout: &Layout) -> Result<(), Errno> {
    let mut builder = Builder::new(hv, dom, frames, layout)?;
    let first = layout.pfn(layout.tables);
    let count = (layout.end - layout.base) / 4096;
    builder.map(layout.base, 0, count, first..first + layout.table_frames)?;
    if layout.p2m_table_frames != 0 {
        builder.use_frames(layout.p2m_pfn + layout.p2m_frames, layout.p2m_table_frames);
        builder.map(layout.p2m, layout.p2m_pfn, layout.p2m_frames, 0..0)?;
    }
    drop(builder.into_root());
    Ok(())
}

fn start_info(
    dom: &Domain,
    layout: &Layout,
    notes: &Notes,
    pages: u64,
    command_line: &str,
) -> StartInfo {
    let mut info = StartInfo {
        nr_pages: pages,
        shared_info: dom.shared_info.mfn().addr(),
        flags: SIF_PRIVILEGED | SIF_INITDOMAIN,
        pt_base: layout.tables,
        nr_pt_frames: layout.table_frames,
        mfn_list: layout.p2m,
        ..StartInfo::default()
    };
    for (to, from) in info.magic.iter_mut().zip(*b"xen-3.0-x86_64") {
        *to = from;
    }
    if layout.initrd_len != 0 {
        info.mod_len = layout.initrd_len;
        info.mod_start = layout.base + layout.initrd_pfn * 4096;
        if notes.mod_start_pfn {
            info.flags |= SIF_MOD_START_PFN;
            info.mod_start = layout.initrd_pfn;
        }
    }
    if layout.p2m_table_frames != 0 {
        info.first_p2m_pfn = layout.p2m_pfn;
        info.nr_p2m_frames = layout.p2m_frames + layout.p2m_table_frames;
    }
    // The last byte stays zero.
    let line = command_line.bytes().take(MAX_GUEST_CMDLINE - 1);
    for (to, from) in info.cmd_line.iter_mut().zip(line) {
        *to = from as i8;
    }
    info
}

fn first_context(place: &Placement, layout: &Layout, root: u64) -> VcpuGuestContext {
    let mut ctx = VcpuGuestContext {
        flags: VGCF_in_kernel,
        kernel_ss: crate::pv::GUEST_SS as u64,
        kernel_sp: layout.stack + 4096,
        ..VcpuGuestContext::default()
    };
    ctx.user_regs.rip = place.entry;
    ctx.user_regs.rsp = layout.stack + 4096;
    ctx.user_regs.rsi = layout.start_info;
    ctx.user_regs.cs = crate::pv::GUEST_CS64;
    ctx.user_regs.ss = crate::pv::GUEST_SS;
    ctx.user_regs.rflags = rflags::IF;
    ctx.ctrlreg[3] = root;
    ctx
}

/// Sets the first vCPU's state, going on where an interrupted validation stopped, and brings
/// it up.
fn start(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    dom: &Arc<Domain>,
    ctx: &VcpuGuestContext,
) -> Result<(), Errno> {
    let vcpu = dom.vcpu(0).ok_or(Errno::ENOENT)?;
    let mut state = vcpu.state.lock();
    // Each round makes progress; at boot nothing else waits for this CPU.
    loop {
        match crate::pv::context::set(hv, cpu, dom, &mut state, ctx) {
            Ok(()) => break,
            Err(Fail::Restart) => {}
            Err(Fail::Errno(errno)) => return Err(errno),
            Err(Fail::Crash(_)) => return Err(Errno::EINVAL),
        }
    }
    // The kernel's own root is pinned for it, as it expects.
    let root = state.root.as_ref().map(|root| root.another());
    if let Some(root) = root {
        let mut tables = Tables {
            hv,
            cpu,
            dom,
            old: &mut state.old_tables,
        };
        match tables.get_table(&root, 4) {
            Ok(()) if root.set_pinned() => {
                root.into_entry();
            }
            _ => return Err(Errno::EINVAL),
        }
    }
    drop(state);
    hv.sched.set_online(cpu, dom, vcpu, true);
    Ok(())
}
