//! A domain whose vCPUs really run, and the count of its references when it is over.

use crate::domain::{Domain, Vcpu};
use crate::fail::Fail;
use crate::hv::Hypervisor;
use crate::mem::{OldTables, Tables};
use crate::pv::{GUEST_CS64, GUEST_SS};
use crate::testing::World;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;
use machine::arch::sim::SimMachine;
use machine::regs::rflags;
use machine::{Cpu, GuestRegs, Mem, Mfn, Page, PageType};
use xen_abi::arch_x86::TrapInfo;

/// Where the guest's kernel runs.
pub const PROGRAM: u64 = 0x1000;
/// Where all its exceptions go.
pub const HANDLER: u64 = 0x2000;
/// Where the guest's frames are mapped, one after the other: a stack and an argument page for
/// each vCPU, then data.
pub const BASE: u64 = 0x40_0000;
/// The guest's frames that are not tables at first.
pub const FRAMES: usize = 24;
/// The domain's id.
pub const DOMID: u16 = 1;

/// Present, writable, for users.
pub const RWU: u64 = 7;

/// A hypervisor with one domain.
pub struct Bed {
    pub machine: SimMachine,
    pub hv: &'static Hypervisor,
    pub dom: Arc<Domain>,
    /// Its frames, as mapped from [`BASE`] on.
    pub frames: Vec<Mfn>,
    /// Level 4 to level 1.
    pub tables: [Mfn; 4],
}

/// Address of frame `n`.
pub fn va(n: usize) -> u64 {
    BASE + n as u64 * 4096
}

/// Address of `vcpu`'s argument page.
pub fn args(vcpus: usize, vcpu: u32) -> u64 {
    va(vcpus + vcpu as usize)
}

/// Top of `vcpu`'s stack.
pub fn stack(vcpu: u32) -> u64 {
    va(vcpu as usize) + 4096
}

fn frame(hv: &Hypervisor, dom: &Domain) -> Mfn {
    let page = hv.alloc_block(0).unwrap().into_page(true).unwrap();
    dom.pages.reserve(1).unwrap();
    dom.pages.assign(hv.mem, dom.owner(), page).unwrap()
}

impl Bed {
    /// One vCPU for each CPU, online, with events masked.
    pub fn new(cpus: usize) -> Bed {
        let World { machine, hv } = World::new(cpus);
        let shared = hv.alloc_block(0).unwrap().into_page(true).unwrap();
        let dom = Domain::new(DOMID, false, cpus as u32, 1024, shared).unwrap();
        assert!(hv.domains.insert(dom.clone()));
        let frames: Vec<Mfn> = (0..FRAMES).map(|_| frame(hv, &dom)).collect();
        let tables = core::array::from_fn(|_| frame(hv, &dom));
        let bed = Bed {
            machine,
            hv,
            dom,
            frames,
            tables,
        };
        bed.fill_tables();
        for id in 0..cpus as u32 {
            let vcpu = Vcpu::new(&bed.dom, id, id).unwrap();
            bed.dom.vcpus[id as usize].call_once(|| vcpu.clone());
            let mut cpu = machine.cpu(id);
            bed.start(&mut cpu, &vcpu, id);
        }
        bed
    }

    pub fn mem(&self) -> Mem {
        self.hv.mem
    }

    pub fn page(&self, mfn: Mfn) -> Page {
        self.mem().get_page(mfn, self.dom.owner()).unwrap()
    }

    fn fill_tables(&self) {
        let [l4, l3, l2, l1] = self.tables.map(|mfn| self.page(mfn));
        let entry = |mfn: Mfn| mfn.addr() | RWU;
        l4.words()[0].store(entry(l3.mfn()), Relaxed);
        l3.words()[0].store(entry(l2.mfn()), Relaxed);
        l2.words()[(BASE >> 21) as usize].store(entry(l1.mfn()), Relaxed);
        for (slot, mfn) in l1.words().iter().zip(&self.frames) {
            slot.store(entry(*mfn), Relaxed);
        }
    }

    fn start(&self, cpu: &mut Cpu, vcpu: &Arc<Vcpu>, id: u32) {
        let mut state = vcpu.state.lock();
        let st = &mut *state;
        let root = self.page(self.tables[0]);
        let mut tables = Tables {
            hv: self.hv,
            cpu,
            dom: &self.dom,
            old: &mut st.old_tables,
        };
        tables.get_table(&root, 4).unwrap();
        st.root = Some(root);
        st.kernel_sp = stack(id);
        st.kernel_ss = GUEST_SS;
        for entry in st.traps.table.iter_mut() {
            *entry = TrapInfo {
                address: HANDLER,
                cs: GUEST_CS64,
                ..TrapInfo::default()
            };
        }
        st.pv.regs = GuestRegs {
            rip: PROGRAM,
            cs: GUEST_CS64.into(),
            ss: GUEST_SS.into(),
            rsp: stack(id),
            rflags: rflags::IF | rflags::FIXED,
            vector: machine::regs::VECTOR_NONE,
            ..GuestRegs::default()
        };
        drop(state);
        vcpu.set_upcall_mask(true);
        vcpu.sched.initialised.store(true, Relaxed);
        self.hv.sched.set_online(cpu, &self.dom, vcpu, true);
    }

    /// Runs all vCPUs, interleaved as `seed` says, until each blocks or the domain crashed.
    pub fn run(&self, seed: u64) {
        self.machine.run(seed, |mut cpu| {
            let id = machine::CpuApi::id(&cpu);
            let vcpu = self.dom.vcpu(id).unwrap();
            while !vcpu.sched.is_blocked() && !self.dom.is_shut_down() {
                crate::run::step(&mut cpu, self.hv);
            }
            // One more turn takes it off the CPU.
            self.hv.sched.next(self.hv, &mut cpu);
        });
    }

    /// Lets go of everything that the guest may still hold and checks that nothing is left:
    /// each frame is held once, by the domain's allocation, and is of no type.
    pub fn count_out(&self) {
        self.machine.set_patience(None);
        let mut cpu = self.machine.cpu(0);
        let mut old = OldTables::new();
        for vcpu in self.dom.all_vcpus() {
            let mut state = vcpu.state.lock();
            let held = state.root.take().into_iter().chain(state.user_root.take());
            let held: Vec<Page> = held.chain(state.old_tables.drain(..)).collect();
            state
                .pv
                .gdt
                .iter_mut()
                .filter_map(Option::take)
                .for_each(put_descriptors);
            state.pv.ldt.drain(..).for_each(put_descriptors);
            held.into_iter()
                .for_each(|page| self.put(&mut cpu, &mut old, page));
        }
        let all: Vec<Mfn> = self.frames.iter().chain(&self.tables).copied().collect();
        for mfn in &all {
            let page = self.page(*mfn);
            if page.clear_pinned() {
                let pinned = Page::from_entry(self.mem(), *mfn).unwrap();
                self.put(&mut cpu, &mut old, pinned);
            }
        }
        // Validation that was interrupted and not taken up again.
        for mfn in &all {
            let page = self.page(*mfn);
            if page.info().is_partial() {
                // It holds a general reference of its own.
                let kept = Page::from_entry(self.mem(), *mfn).unwrap();
                self.put(&mut cpu, &mut old, kept);
            }
        }
        for mfn in &all {
            let info = self.mem().frame(*mfn).unwrap();
            let (t, n) = info.page_type();
            assert_eq!(
                (info.count(), n),
                (1, 0),
                "frame {mfn:x?} after all was put, a {t:?}"
            );
        }
    }

    fn put(&self, cpu: &mut Cpu, old: &mut OldTables, page: Page) {
        let mut tables = Tables {
            hv: self.hv,
            cpu,
            dom: &self.dom,
            old,
        };
        let mut result = tables.put_table(page);
        while result == Err(Fail::Restart) {
            result = tables.finish_old();
        }
    }
}

fn put_descriptors(page: Page) {
    assert_eq!(page.info().page_type().0, PageType::SegDesc);
    assert_eq!(page.put_type(), machine::TypePut::Done);
}
