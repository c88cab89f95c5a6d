//! Making a domain for the tools: paused, without memory, then with its vCPUs.

use super::{Domain, Vcpu};
use crate::hv::Hypervisor;
use crate::mem::alloc::{ANYWHERE, alloc_clean_block};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use machine::{Cpu, CpuApi};
use xen_abi::arch_x86::ArchDomainconfig;
use xen_abi::{DomId, Errno};

/// vCPUs of a domain at most.
pub const MAX_VCPUS: u32 = 512;

/// What a new domain is to be.
#[derive(Clone, Copy, Debug)]
pub struct NewDomain {
    /// Its id; `None` for any.
    pub id: Option<DomId>,
    /// Its UUID.
    pub handle: [u8; 16],
    /// Number of vCPUs it will have.
    pub max_vcpus: u32,
    /// The highest event channel port it may have.
    pub max_port: u32,
    /// Pages of grant entries, frames of grant handles, newest entry format.
    pub grants: (u32, u32, u32),
    /// The pool of CPUs that it runs on.
    pub cpupool: u32,
    /// Whether it runs the Xenstore.
    pub xenstore: bool,
    /// Whether it is hardware-virtualised.
    pub hvm: bool,
    /// The configuration that tools read back.
    pub arch: ArchDomainconfig,
}

/// Makes a domain, paused once for the tools. Errors: `EEXIST` when the id is taken; `ENODEV`
/// without such a pool, or one without CPUs; `ENOMEM`, also when all ids are taken.
pub fn create(hv: &Hypervisor, cpu: &mut Cpu, new: &NewDomain) -> Result<Arc<Domain>, Errno> {
    loop {
        let id = match new.id {
            Some(id) => id,
            None => hv.domains.free_id().ok_or(Errno::ENOMEM)?,
        };
        if hv.domains.any(id.into()).is_some() {
            return Err(Errno::EEXIST);
        }
        let dom = build(hv, cpu, id, new)?;
        // A pool with a domain in it stays.
        let inserted = hv
            .sched
            .while_pool(new.cpupool, || hv.domains.insert(dom))
            .ok_or(Errno::ENODEV)?;
        if inserted {
            hv.changes.note(id);
            return hv.domains.any(id.into()).ok_or(Errno::ENOMEM);
        }
        // Another call took the id just now: it is an error only for who wanted that one.
    }
}

fn build(hv: &Hypervisor, cpu: &mut Cpu, id: DomId, new: &NewDomain) -> Result<Arc<Domain>, Errno> {
    let shared = alloc_clean_block(hv, cpu, None, 0, ANYWHERE)?
        .into_page(true)
        .ok_or(Errno::ENOMEM)?;
    // The domain maps it by its frame number: it is its own, but not on its account.
    shared.info().set_owner(id.into());
    hv.mem.set_m2p(shared.mfn(), u64::MAX);
    // Its memory is limited by `max_mem` later: none until then.
    let dom = Domain::new(id, false, new.max_vcpus, 0, shared)?;
    *dom.handle.lock() = new.handle;
    *dom.arch_config.lock() = new.arch;
    dom.cpupool.store(new.cpupool, Ordering::Release);
    dom.xenstore.store(new.xenstore, Ordering::Relaxed);
    dom.events.set_limit(new.max_port);
    let (frames, track_frames, version) = new.grants;
    dom.grants.set_limits(frames, track_frames, version);
    if new.hvm {
        crate::hvm::make(hv, cpu, &dom)?;
    }
    *dom.controller_pauses.lock() = 1;
    dom.pause_count.store(1, Ordering::SeqCst);
    crate::time::show_wall(hv, &dom);
    Ok(dom)
}

/// Makes the vCPUs that the domain has not yet, spread over its pool's CPUs. `false` when it stopped
/// to make room for other work: call again. Errors: `ENOMEM`.
pub fn make_vcpus(hv: &Hypervisor, cpu: &Cpu, dom: &Arc<Domain>) -> Result<bool, Errno> {
    for (id, slot) in (0u32..).zip(&dom.vcpus) {
        if slot.get().is_some() {
            continue;
        }
        let cpus = hv.sched.cpus_of(dom);
        let nth = id as usize % cpus.count().max(1) as usize;
        let first = cpus.iter().nth(nth).unwrap_or(0);
        let vcpu = Vcpu::new(dom, id, first).ok_or(Errno::ENOMEM)?;
        crate::hvm::make_vcpu(dom, &vcpu)?;
        // Another call may have been faster: its vCPU stays.
        slot.call_once(|| vcpu);
        if cpu.work_pending() {
            return Ok(false);
        }
    }
    Ok(true)
}
