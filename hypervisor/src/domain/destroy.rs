//! A domain's end: everything that it holds is given back, in steps.
//!
//! It is marked as dying first, so that nobody finds it by its id any more, and its vCPUs leave
//! their CPUs. What it holds goes in an order in which nothing comes back: ports, interrupts,
//! vCPUs with their tables, pages with the physical map, uses of others' grants. Then it is dead: a record that waits
//! for the memory that others still hold. Lock: the teardown's, which is only tried for, as the
//! steps take all the others.
//!
//! Invariant: a call that found the domain before it was marked may still be at work on it.
//! Frames that it brings are refused (`DomainPages::close`), and what it does to tables it
//! takes back when it sees that the domain is dying.

use super::{Domain, Vcpu};
use crate::fail::Fail;
use crate::hv::Hypervisor;
use crate::mem::{OldTables, Tables};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use machine::frame::NO_OWNER;
use machine::{Cpu, CpuApi, Flush, Mfn, Page};
use xen_abi::xen::VIRQ_DOM_EXC;

/// How far it has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Alive,
    Stopping,
    Ports,
    Vcpus,
    Pages,
    Grants,
    Done,
}

/// The state of a domain's end.
#[derive(Default)]
pub struct Teardown {
    stage: Stage,
    /// vCPUs done.
    vcpus: u32,
    /// Frames to look at.
    frames: u64,
    /// Tables whose end was interrupted.
    old: OldTables,
}

/// Frames between two looks at other work.
const BATCH: u64 = 64;

impl Domain {
    /// Takes the end of `dom` further, which is not the caller's own domain. `true` when it is
    /// dead; else it stopped to make room for other work: call again.
    pub fn destroy(hv: &Hypervisor, cpu: &mut Cpu, dom: &Arc<Domain>) -> bool {
        // Another CPU may be at it.
        let Some(mut teardown) = dom.teardown.try_lock() else {
            return dom.dead.load(Ordering::Acquire);
        };
        while teardown.stage != Stage::Done {
            let Some(next) = step(hv, cpu, dom, &mut teardown) else {
                return false;
            };
            teardown.stage = next;
            if cpu.work_pending() && next != Stage::Done {
                return false;
            }
        }
        drop(teardown);
        bury(hv, cpu);
        true
    }
}

impl Domain {
    /// Calls `each` with the tables whose end was interrupted by the domain's own.
    pub fn each_left_table(&self, each: impl FnMut(&Page)) {
        if let Some(teardown) = self.teardown.try_lock() {
            teardown.old.iter().for_each(each);
        }
    }
}

/// One stage, or a part of it: the stage that follows once it is complete.
fn step(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    dom: &Arc<Domain>,
    teardown: &mut Teardown,
) -> Option<Stage> {
    match teardown.stage {
        Stage::Alive => {
            dom.dying.store(true, Ordering::SeqCst);
            dom.pause(hv, cpu);
            Some(Stage::Stopping)
        }
        Stage::Stopping => dom.wait_quiescent(cpu).then_some(Stage::Ports),
        Stage::Ports => {
            if !crate::event::destroy(hv, cpu, dom) {
                return None;
            }
            crate::irq::destroy(hv, cpu, dom);
            dom.retire(hv, cpu);
            Some(Stage::Vcpus)
        }
        Stage::Vcpus => {
            while let Some(slot) = dom.vcpus.get(teardown.vcpus as usize) {
                if let Some(vcpu) = slot.get() {
                    release_vcpu(hv, cpu, dom, vcpu).ok()?;
                }
                teardown.vcpus += 1;
            }
            teardown.frames = dom.pages.close();
            Some(Stage::Pages)
        }
        Stage::Pages => {
            crate::mem::p2m::relinquish(cpu, dom).ok()?;
            relinquish(hv, cpu, dom, teardown).ok()?;
            // Translations of what others granted, before those are told that it is unused.
            cpu.flush(&hv.all_cpus(), Flush::All);
            Some(Stage::Grants)
        }
        Stage::Grants => {
            if !crate::grant::release_mappings(hv, cpu, dom) {
                return None;
            }
            crate::grant::disown_frames(dom);
            dom.shared_info.info().set_owner(NO_OWNER);
            let _ = crate::mem::alloc::claim(hv, dom, 0);
            hv.domains.add_zombie(dom);
            hv.changes.note(dom.id);
            crate::event::notify_virq(hv, cpu, VIRQ_DOM_EXC);
            Some(Stage::Done)
        }
        Stage::Done => Some(Stage::Done),
    }
}

/// Gives back what a vCPU holds.
fn release_vcpu(hv: &Hypervisor, cpu: &mut Cpu, dom: &Domain, vcpu: &Vcpu) -> Result<(), Fail> {
    // A tool looks at it, for a moment.
    let mut state = vcpu.state.try_lock().ok_or(Fail::Restart)?;
    let st = &mut *state;
    let mut tables = Tables {
        hv,
        cpu,
        dom,
        old: &mut st.old_tables,
    };
    tables.finish_old()?;
    for root in [st.root.take(), st.user_root.take()].into_iter().flatten() {
        // One that is interrupted waits in `old`, and the second one, too.
        let _ = tables.put_table(root);
    }
    tables.finish_old()?;
    crate::pv::release_descriptors(st);
    if let Some(area) = vcpu.info_area.get() {
        dom.pages.disown(hv.mem, area.page());
    }
    Ok(())
}

/// Ends the pins, unfinished tables and allocation of all frames.
fn relinquish(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    dom: &Domain,
    teardown: &mut Teardown,
) -> Result<(), Fail> {
    let Teardown { frames, old, .. } = teardown;
    loop {
        let mut tables = Tables { hv, cpu, dom, old };
        tables.finish_old()?;
        if *frames == 0 {
            // A table's end can let go of very many at once.
            while hv.reap_some() {
                if cpu.work_pending() {
                    return Err(Fail::Restart);
                }
            }
            return Ok(());
        }
        if let Some(mfn) = dom.pages.rotate(hv.mem) {
            *frames -= 1;
            let_go(&mut tables, mfn)?;
        } else {
            *frames = 0;
        }
        if frames.is_multiple_of(BATCH) {
            hv.reap_some();
            if cpu.work_pending() {
                return Err(Fail::Restart);
            }
        }
    }
}

fn let_go(tables: &mut Tables, mfn: Mfn) -> Result<(), Fail> {
    let mem = tables.hv.mem;
    // One that died meanwhile only waits to be reaped.
    let Some(page) = mem.get_page(mfn, tables.dom.owner()) else {
        return Ok(());
    };
    drop(page.end_allocation());
    let pinned = page.clear_pinned().then(|| Page::from_entry(mem, mfn));
    if let Some(pinned) = pinned.flatten() {
        tables.put_table(pinned)?;
    }
    tables.abandon(&page)
}

/// Lets go of the records of dead domains that nothing is left of, and tells of each.
pub fn bury(hv: &Hypervisor, cpu: &Cpu) {
    while let Some(dom) = hv.domains.take_gone() {
        for handler in hv.virq_handlers.lock().iter_mut() {
            if *handler == dom.id {
                *handler = 0;
            }
        }
        hv.changes.note(dom.id);
        drop(dom);
        crate::event::notify_virq(hv, cpu, VIRQ_DOM_EXC);
    }
}
