//! Xen's public interface for x86-64 as plain types and numbers (Xen 4.20).
//!
//! One module for each public header. Constants keep the header's names (a
//! hypercall's number drops `__HYPERVISOR_`); structures are the C names in camel
//! case without `xen_` and `_t`, with the header's field names and explicit
//! padding, so that each is plain bytes both ways. A guest handle is a `u64`
//! whose comment names what it points to. A union is raw words with typed access
//! through [`forms::Payload`].
//!
//! Nothing here decides anything: values that come from a guest are as the guest
//! wrote them.
#![no_std]
#![forbid(unsafe_code)]
#![allow(
    non_upper_case_globals,
    reason = "constants keep the names of the headers"
)]
#![allow(
    missing_docs,
    reason = "fields keep the names and meaning of the headers"
)]

pub mod arch_x86;
pub mod argo;
pub mod callback;
pub mod compat;
pub mod domctl;
pub mod elfnote;
pub mod errno;
pub mod event_channel;
pub mod forms;
pub mod grant_table;
pub mod hvm;
pub mod hypercall;
pub mod hypfs;
pub mod io;
pub mod kexec;
pub mod mca;
pub mod memory;
pub mod mmu;
pub mod physdev;
pub mod platform;
pub mod pmu;
pub mod sched;
pub mod shared_info;
pub mod start_info;
pub mod sysctl;
pub mod trace;
pub mod vcpu;
pub mod version;
pub mod xen;
pub mod xsm;

pub use errno::Errno;
pub use forms::Payload;
pub use xen::DomId;
