//! Layouts of `platform::firmware`, as a C compiler lays out the public headers.

use xen_abi::platform::firmware::*;

layouts! {
    XenpfEfiTime: 16 { year: 0, month: 2, day: 3, hour: 4, min: 5, sec: 6, ns: 8, tz: 12, daylight: 14 }
    XenpfEfiGuid: 16 { data1: 0, data2: 4, data3: 6, data4: 8 }
    XenpfEfiRuntimeCallGetTime: 24 { time: 0, resolution: 16, accuracy: 20 }
    XenpfEfiRuntimeCallGetVariable: 40 { name: 0, size: 8, data: 16, vendor_guid: 24 }
    XenpfEfiRuntimeCallSetVariable: 40 { name: 0, size: 8, data: 16, vendor_guid: 24 }
    XenpfEfiRuntimeCallGetNextVariableName: 32 { size: 0, name: 8, vendor_guid: 16 }
    XenpfEfiRuntimeCallQueryVariableInfo: 32 { attr: 0, max_store_size: 8, remain_store_size: 16, max_size: 24 }
    XenpfEfiRuntimeCallQueryCapsuleCapabilities: 32 { capsule_header_array: 0, capsule_count: 8, max_capsule_size: 16, reset_type: 24 }
    XenpfEfiRuntimeCallUpdateCapsule: 24 { capsule_header_array: 0, capsule_count: 8, sg_list: 16 }
    XenpfEfiRuntimeCall: 56 { function: 0, misc: 4, status: 8, u: 16 }
    XenpfFirmwareInfoDiskInfo: 16 { device: 0, version: 1, interface_support: 2, legacy_max_cylinder: 4, legacy_max_head: 6, legacy_sectors_per_track: 7, edd_params: 8 }
    XenpfFirmwareInfoDiskMbrSignature: 8 { device: 0, mbr_signature: 4 }
    XenpfFirmwareInfoVbeddcInfo: 16 { capabilities: 0, edid_transfer_time: 1, edid: 8 }
    XenpfEfiInfoCfg: 16 { addr: 0, nent: 8 }
    XenpfEfiInfoVendor: 16 { revision: 0, bufsz: 4, name: 8 }
    XenpfEfiInfoMem: 32 { addr: 0, size: 8, attr: 16, r#type: 24 }
    XenpfEfiInfoPciRom: 24 { segment: 0, bus: 2, devfn: 3, vendor: 4, devid: 6, address: 8, size: 16 }
    XenpfEfiInfoAppleProperties: 16 { address: 0, size: 8 }
    XenpfEfiInfo: 32 { u: 0 }
    XenpfFirmwareInfo: 40 { r#type: 0, index: 4, u: 8 }
}
