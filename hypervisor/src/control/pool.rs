//! The pools of CPUs that domains are put into. There is one, number 0, of all CPUs.

use crate::domain::Domain;
use machine::CpuMask;
use xen_abi::Errno;

/// The CPUs of pool `id`, of which there are `cpus` in all. Errors: `ENODEV` without such a pool.
pub fn pool_of(id: u32, cpus: u32) -> Result<CpuMask, Errno> {
    if id == 0 {
        Ok(CpuMask::first(cpus))
    } else {
        Err(Errno::ENODEV)
    }
}

/// The pool that a domain is in.
pub fn pool_id(_dom: &Domain) -> u32 {
    0
}
