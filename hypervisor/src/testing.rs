//! What tests of this crate stand on: a hypervisor on a simulated machine, domains with page
//! tables and a few pages of data, and a context to make calls in.
//!
//! A [`World`] is leaked, as the simulated machine is: everything in it lives for ever.

extern crate std;

use crate::console::Console;
use crate::cx::Cx;
use crate::domain::{Domain, DomainList, Vcpu};
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use crate::hv::Hypervisor;
use crate::irq::Irqs;
use crate::locks;
use crate::sched::Scheduler;
use crate::time::Clocks;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use machine::arch::sim::SimMachine;
use machine::boot::{BootInfo, MemoryKind};
use machine::heap::Heap;
use machine::hvm::HvmCpu;
use machine::platform::Platform;
use machine::{CpuApi, Lock, Mfn, PAGE_SIZE, Page, PageType, TypeGet};
use spin::Once;
use xen_abi::compat::Layout;

/// Where a test domain's data pages are mapped, one after the other.
pub const DATA_VA: u64 = 0x40_0000;
/// How many there are.
pub const DATA_PAGES: usize = 16;
/// The data page that [`call`] passes arguments in.
pub const ARG_PAGE: usize = DATA_PAGES - 1;

const PTE: u64 = 7;

/// What ACPI and the boot loader said: nothing.
static PLATFORM: Once<Platform> = Once::new();
static BOOT: Once<BootInfo> = Once::new();
/// A boot loader that told of a gigabyte of memory.
static MAPPED: Once<BootInfo> = Once::new();

/// A machine with a hypervisor on it.
#[derive(Clone, Copy)]
pub struct World {
    /// The machine.
    pub machine: SimMachine,
    /// The hypervisor.
    pub hv: &'static Hypervisor,
}

/// A domain with page tables and data.
pub struct TestDomain {
    /// The domain.
    pub dom: Arc<Domain>,
    /// Its data pages, writable and mapped from [`DATA_VA`] on.
    pub data: Vec<Page>,
    /// Its level 4 table.
    pub root: Page,
    /// The level 1 table of its data; entries beyond the data are free.
    pub l1: Page,
}

/// A hypervisor on all memory of `machine` but its first frames, whose firmware says nothing of
/// memory.
pub fn hypervisor(machine: SimMachine, xsm: crate::xsm::Policy) -> Hypervisor {
    with_memory(machine, xsm, 16, BOOT.call_once(BootInfo::new))
}

/// A hypervisor on memory that the firmware told of: all but the first megabyte.
pub fn hypervisor_with_map(machine: SimMachine, xsm: crate::xsm::Policy) -> Hypervisor {
    let boot = MAPPED.call_once(|| {
        let mut boot = BootInfo::new();
        boot.memory.push(0, 1 << 30, MemoryKind::Ram);
        boot
    });
    with_memory(machine, xsm, 256, boot)
}

fn with_memory(
    machine: SimMachine,
    xsm: crate::xsm::Policy,
    first: u64,
    boot: &'static BootInfo,
) -> Hypervisor {
    let mem = machine.mem();
    let cpus = machine.cpus();
    let mut heap = Heap::new(mem);
    heap.add_range(Mfn(first), mem.max_mfn());
    let platform: &Platform = PLATFORM.call_once(Platform::new);
    Hypervisor {
        mem,
        total_pages: heap.free_frames(),
        heap: Box::leak(Box::new(Lock::new(locks::HEAP, heap))),
        dead: Lock::new(locks::DEAD, None),
        more_dead: Default::default(),
        claims: crate::mem::Claims::default(),
        cpus,
        linear_tables: true,
        xsm,
        policies: crate::cpu_policy::Policies::new(&machine.cpu(0), true),
        command_line: String::new(),
        noreboot: true,
        cpuinfo: false,
        domains: DomainList::default(),
        changes: crate::domain::Changes::new().unwrap(),
        virq_handlers: crate::hv::domain_lock([0; _]),
        sched: Scheduler::new(cpus).unwrap(),
        clocks: Clocks::new(cpus, 0).unwrap(),
        console: Console::default(),
        asked: Default::default(),
        irqs: Irqs::new(platform, cpus).unwrap(),
        platform,
        boot,
    }
}

impl World {
    /// A machine with 16 MiB of RAM.
    pub fn new(cpus: usize) -> World {
        World::with_xsm(cpus, crate::xsm::Policy::Dummy)
    }

    /// The same, where `xsm` says who may deal with whom.
    pub fn with_xsm(cpus: usize, xsm: crate::xsm::Policy) -> World {
        let machine = SimMachine::new(4096, cpus);
        let hv = Box::leak(Box::new(hypervisor(machine, xsm)));
        World { machine, hv }
    }

    /// A page of `owner`'s, zeroed, with one general reference.
    pub fn page(&self, owner: u32) -> Page {
        let page = self.hv.alloc_block(0).unwrap().into_page(true).unwrap();
        page.info().set_owner(owner);
        page
    }

    fn table(&self, dom: &Domain, kind: PageType) -> Page {
        let page = self.page(dom.owner());
        assert!(matches!(page.get_type(kind), TypeGet::Validate { .. }));
        page
    }

    /// A domain whose vCPU `n` belongs to CPU `n` modulo the number of CPUs, all online.
    pub fn domain(&self, id: u16, privileged: bool, vcpus: u32) -> TestDomain {
        let shared_info = self.page(id.into());
        let dom = Domain::new(id, privileged, vcpus, 1024, shared_info).unwrap();
        for n in 0..vcpus {
            let vcpu = Vcpu::new(&dom, n, n % self.hv.cpus).unwrap();
            dom.vcpus[n as usize].call_once(|| vcpu);
        }
        let tables = [PageType::L4, PageType::L3, PageType::L2, PageType::L1]
            .map(|kind| self.table(&dom, kind));
        let [l4, l3, l2, l1] = &tables;
        let entry = |page: &Page| page.mfn().0 << 12 | PTE;
        l4.words()[0].store(entry(l3), Ordering::Relaxed);
        l3.words()[0].store(entry(l2), Ordering::Relaxed);
        l2.words()[(DATA_VA >> 21) as usize].store(entry(l1), Ordering::Relaxed);
        self.hv.mem.install_host_slots(l4);
        let data: Vec<Page> = (0..DATA_PAGES).map(|_| self.page(dom.owner())).collect();
        for (slot, page) in l1.words().iter().zip(&data) {
            assert_eq!(page.get_type(PageType::Writable), TypeGet::Ready);
            slot.store(entry(page), Ordering::Relaxed);
            let _ = page.another().into_entry();
        }
        for table in &tables {
            table.type_validated();
        }
        let [root, _, _, l1] = tables.map(|page| {
            let _ = page.another().into_entry();
            page
        });
        assert!(self.hv.domains.insert(dom.clone()));
        TestDomain {
            dom,
            data,
            root,
            l1,
        }
    }

    /// A hardware-virtualised domain without memory, its vCPUs down.
    pub fn hvm_domain(&self, id: u16, privileged: bool, vcpus: u32) -> Arc<Domain> {
        let shared_info = self.page(id.into());
        let dom = Domain::new(id, privileged, vcpus, 1024, shared_info).unwrap();
        crate::hvm::make(self.hv, &mut self.machine.cpu(0), &dom).unwrap();
        for n in 0..vcpus {
            let vcpu = Vcpu::new(&dom, n, n % self.hv.cpus).unwrap();
            crate::hvm::make_vcpu(&dom, &vcpu).unwrap();
            dom.vcpus[n as usize].call_once(|| vcpu);
        }
        assert!(self.hv.domains.insert(dom.clone()));
        dom
    }

    /// Calls `f` in the context of a domain's vCPU, on CPU `cpu`.
    pub fn on<R>(&self, on: &TestDomain, vcpu: u32, cpu: u32, f: impl FnOnce(&mut Cx) -> R) -> R {
        let mut cpu = self.machine.cpu(cpu);
        let vcpu = on.dom.vcpu(vcpu).unwrap();
        let mut state = vcpu.state.lock();
        on.dom.dirty_cpus.set(cpu.id());
        assert!(cpu.set_root(&on.root));
        state.root.get_or_insert_with(|| on.root.another());
        let mut cx = Cx {
            cpu: &mut cpu,
            hv: self.hv,
            dom: &on.dom,
            vcpu,
            st: &mut state,
            live: true,
            width: Default::default(),
        };
        let result = f(&mut cx);
        cpu.unset_root();
        on.dom.dirty_cpus.clear(cpu.id());
        result
    }

    /// The same with memory where a PV one has its data ([`DATA_VA`], by guest-physical address),
    /// its vCPUs in flat code without paging.
    pub fn hvm_guest(&self, id: u16, privileged: bool, vcpus: u32) -> Arc<Domain> {
        let dom = self.hvm_domain(id, privileged, vcpus);
        for vcpu in dom.all_vcpus() {
            vcpu.state.lock().hvm.as_mut().unwrap().start_flat(0, 0);
        }
        let mut cpu = self.machine.cpu(0);
        crate::mem::p2m::fill(self.hv, &mut cpu, &dom, DATA_VA >> 12, DATA_PAGES as u64).unwrap();
        dom
    }

    /// As [`World::on`], for a hardware-virtualised domain.
    pub fn on_hvm<R>(
        &self,
        dom: &Arc<Domain>,
        vcpu: u32,
        cpu: u32,
        f: impl FnOnce(&mut Cx) -> R,
    ) -> R {
        let mut cpu = self.machine.cpu(cpu);
        let vcpu = dom.vcpu(vcpu).unwrap();
        let mut state = vcpu.state.try_lock().unwrap();
        dom.dirty_cpus.set(cpu.id());
        cpu.load_hvm(&mut state.hvm.as_mut().unwrap().state);
        let mut cx = Cx {
            cpu: &mut cpu,
            hv: self.hv,
            dom,
            vcpu,
            st: &mut state,
            live: true,
            width: Default::default(),
        };
        let result = f(&mut cx);
        cpu.save_hvm(&mut state.hvm.as_mut().unwrap().state);
        dom.dirty_cpus.clear(cpu.id());
        result
    }

    /// Frames that nobody has.
    pub fn free_frames(&self) -> u64 {
        self.hv.reap();
        self.hv.heap.lock().free_frames()
    }
}

impl TestDomain {
    /// Address of byte `offset` of data page `page`.
    pub fn va(&self, page: usize, offset: u64) -> u64 {
        DATA_VA + (page * PAGE_SIZE) as u64 + offset
    }
}

/// Makes a call whose argument is the address of a structure, and reads that back.
pub fn call<T: Layout>(
    cx: &mut Cx,
    arg: &mut T,
    f: impl FnOnce(&mut Cx, u64) -> HyperResult,
) -> HyperResult {
    let ptr = GuestPtr::new(DATA_VA + (ARG_PAGE * PAGE_SIZE) as u64);
    cx.copy_out(ptr, arg)?;
    let result = f(cx, ptr.addr());
    *arg = cx.copy_in(ptr)?;
    result
}
