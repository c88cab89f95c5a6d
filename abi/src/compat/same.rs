//! What has one form in both: numbers of fixed width, aligned to themselves, without pointers;
//! and the tools' calls, whose header aligns 64-bit numbers and handles to 8 bytes everywhere.

use super::Layout;

macro_rules! same {
    ($($ty:ty;)*) => {
        $(impl Layout for $ty {
            type Compat = Self;
            const SAME: bool = true;

            fn widen(compat: Self) -> Self {
                compat
            }

            fn narrow(&self) -> Self {
                *self
            }
        })*
    };
}

same! {
    u8;
    u16;
    u32;
    u64;
    i32;
    i64;
    crate::arch_x86::CpuidLeaf;
    crate::arch_x86::MsrEntry;
    crate::domctl::Domctl;
    crate::domctl::DomctlGetDomainState;
    crate::domctl::DomctlGetdomaininfo;
    crate::domctl::DomctlSchedparamVcpu;
    crate::domctl::DomctlVcpuMsr;
    crate::event_channel::EvtchnAllocUnbound;
    crate::event_channel::EvtchnBindInterdomain;
    crate::event_channel::EvtchnBindIpi;
    crate::event_channel::EvtchnBindPirq;
    crate::event_channel::EvtchnBindVcpu;
    crate::event_channel::EvtchnBindVirq;
    crate::event_channel::EvtchnClose;
    crate::event_channel::EvtchnExpandArray;
    crate::event_channel::EvtchnInitControl;
    crate::event_channel::EvtchnReset;
    crate::event_channel::EvtchnSend;
    crate::event_channel::EvtchnSetPriority;
    crate::event_channel::EvtchnStatus;
    crate::event_channel::EvtchnUnmask;
    crate::grant_table::GnttabCacheFlush;
    crate::grant_table::GnttabGetVersion;
    crate::grant_table::GnttabMapGrantRef;
    crate::grant_table::GnttabQuerySize;
    crate::grant_table::GnttabSetVersion;
    crate::grant_table::GnttabSwapGrantRef;
    crate::grant_table::GnttabUnmapAndReplace;
    crate::grant_table::GnttabUnmapGrantRef;
    crate::hvm::HvmEvtchnUpcallVector;
    crate::hvm::HvmGetMemType;
    crate::hvm::HvmGetTime;
    crate::hvm::HvmPagetableDying;
    crate::hvm::HvmParam;
    crate::hvm::HvmXentrace;
    crate::hvm::VcpuHvmContext;
    crate::hypfs::HypfsDirentry;
    crate::memory::E820Entry;
    crate::memory::MemAccessOp;
    crate::memory::MemoryDomain;
    crate::memory::PhysdevPciDevice;
    crate::memory::VnumaTopologyInfo;
    crate::mmu::MmuUpdate;
    crate::physdev::PciDeviceReset;
    crate::physdev::PhysdevDbgpOp;
    crate::physdev::PhysdevEoi;
    crate::physdev::PhysdevGetFreePirq;
    crate::physdev::PhysdevIrq;
    crate::physdev::PhysdevIrqStatusQuery;
    crate::physdev::PhysdevManagePci;
    crate::physdev::PhysdevManagePciExt;
    crate::physdev::PhysdevPciDeviceAdd;
    crate::physdev::PhysdevPciMmcfgReserved;
    crate::physdev::PhysdevRestoreMsi;
    crate::physdev::PhysdevSetIopl;
    crate::physdev::PhysdevSetupGsi;
    crate::physdev::PhysdevUnmapPirq;
    crate::sched::SchedPinOverride;
    crate::sched::SchedRemoteShutdown;
    crate::sched::SchedShutdown;
    crate::sched::SchedWatchdog;
    crate::shared_info::VcpuTimeInfo;
    crate::sysctl::Sysctl;
    crate::sysctl::SysctlCpuinfo;
    crate::sysctl::SysctlCputopo;
    crate::sysctl::SysctlMeminfo;
    crate::vcpu::VcpuGetPhysid;
    crate::vcpu::VcpuRegisterRunstateMemoryArea;
    crate::vcpu::VcpuRegisterTimeMemoryArea;
    crate::vcpu::VcpuRegisterVcpuInfo;
    crate::vcpu::VcpuSetPeriodicTimer;
    crate::version::CompileInfo;
    crate::version::FeatureInfo;
    crate::version::Varbuf;
}

// What only 64-bit code hands over: the calls are not served to others.
same! {
    crate::arch_x86::TrapInfo;
    crate::callback::CallbackRegister;
    crate::callback::CallbackUnregister;
    crate::callback::XennmiCallback;
    crate::mca::Mc;
    crate::mca::McinfoLogicalCpu;
    crate::platform::PlatformOp;
    crate::platform::XenpfResourceEntry;
}
