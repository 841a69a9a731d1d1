-5699.0 trial kvm/source-dies on kvm-pair
-5697.0 boot h0 runs 7.2.12+deb13-amd64, boot 6f1c2a0e-2f6d-4a55-9d0e-1f0c5f3b7a10
-5697.0 boot h1 runs 7.2.12+deb13-amd64, boot 6f1c2a0e-2f6d-4a55-9d0e-1f0c5f3b7a11
-3202.0 guest-link g1 on h0: hello
-3102.0 guest g1 runs on h0, kernel 7.2.12+deb13-amd64, qemu 10.0.2, libvirt 11.3.0
-3002.0 step start victim in g1
-2902.0 facts victim in g1 {"pid":77,"address":"0x7f22a8600000","pfn":"0x2f4b","physical":"0x2f4b000","page_size":4096}
-2202.0 heartbeat g1 on h0: 100 heartbeats, longest 14.5 ms
-2202.0 migration g1: setup, 256 MiB remaining
-2142.0 migration g1: pre-copy, iteration 1, 256 MiB remaining
-702.0 migration g1: pre-copy, iteration 2, 95.4 MiB remaining
-202.0 heartbeat g1 on h0: 200 heartbeats, longest 16.5 ms
-102.0 migration g1: pre-copy, iteration 2, 57.2 MiB remaining
-2.0 step inject panic on source
0.0 intent about to fire panic on h0 
18.0 console h0: [  61.2] Kernel panic - not syncing: sysrq triggered crash
19.0 console h0: [  61.2] Rebooting in 1 seconds..
1198.0 hypervisor g1 on h1: lifecycle stopped failed
3398.0 bench h0: the host has another boot_id
3418.0 boot h0 runs 7.2.12+deb13-amd64, boot 0b7d9e44
63298.0 close host-died
