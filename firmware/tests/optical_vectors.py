"""The byte vectors that both roles and both worlds must reproduce (C12.18 packets)."""

# Each row: direction (C client to meter, M meter to client), packet in hex.
SESSION = (
    ("C", "ee0000000001201310"),  # Identify
    # ok, std 0 (C12.18), version 1, revision 0, end of list
    ("M", "ee00000000050000010000c6b5"),
    # Negotiate 0x61: 64 bytes, 4 packets, one baud code 06 (9600)
    ("C", "ee00200000056100400406f4b6"),
    ("M", "ee00200000050000400406031c"),  # ok, 64, 4, 9600
    ("C", "ee0000000002703c0e15"),  # Wait 60 s (legal in ID state)
    ("M", "ee0000000001001131"),  # ok
    # Logon, user id 2, user "READER" space padded to 10
    ("C", "ee002000000d500002524541444552202020207151"),
    ("M", "ee0020000001008051"),  # ok
    # Security, 20-byte password "ABCDEFGHIJKLMNOPQRST"
    ("C", "ee0000000015514142434445464748494a4b4c4d4e4f5051525354daa2"),
    ("M", "ee0000000001001131"),  # ok
    ("C", "ee00200000033000005f7f"),  # Full read ST-0 (profile V, 37 bytes)
    # ok, count 37, data, cksum
    (
        "M",
        "ee0020000029000025020a8854455354020010100100070102000100ab99e198031690010906a000"
        "000000040001e3df2a",
    ),
    ("C", "ee0000000003300001550d"),  # Full read ST-1 (32 bytes)
    # ok, count 32, data, cksum
    (
        "M",
        "ee000000002400002054455354564543544f52203101020304303030303030303031323334353637386ef3dd",
    ),
    ("C", "ee00200000083f001700000000046f38"),  # Partial read ST-23, offset 0, count 4
    ("M", "ee002000000800000440e20100ddd677"),  # ok, value 40 e2 01 00 = 123456
    ("C", "ee00000000083f00170000040004be70"),  # Partial read ST-23, offset 4, count 4
    ("M", "ee000000000800000415030000e8939b"),  # ok, 15 03 00 00 = 789
    # Full write ST-5, 20 bytes "METER-0001" space padded
    ("C", "ee002000001a40000500144d455445522d303030312020202020202020202055ca74"),
    ("M", "ee0020000001008051"),  # ok
    # Partial write ST-5 offset 16, 4 bytes "ABCD"
    ("C", "ee000000000d4f0005000010000441424344f6b783"),
    ("M", "ee0000000001001131"),  # ok
    # Write ST-7: procedure 9 (remote reset), sequence 0x2A, parameter 01 (demand reset)
    ("C", "ee002000000a400007000409002a01cc5b61"),
    ("M", "ee0020000001008051"),  # ok
    ("C", "ee00000000033000089490"),  # Read ST-8
    ("M", "ee000000000900000509002a0001cc97ea"),  # ok, count 5, data, cksum
    # Full read MT-0 (id 2048), 100 bytes: reply is 104 data bytes → 2 segments of ≤56
    ("C", "ee00200000033008009fb1"),
    # segment 1 of 2 (56 data bytes, seq 1)
    (
        "M",
        "ee00e0010038000064303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e"
        "4f505152535455565758595a5b5c5d5e5f606162636457f3",
    ),
    # segment 2 of 2 (48 data bytes, seq 0)
    (
        "M",
        "ee008000003065666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f80818283848586"
        "8788898a8b8c8d8e8f90919293ea2f14",
    ),
    ("C", "ee0000000002703c0e15"),  # Wait 60 s (legal in Session state too)
    ("M", "ee0020000001008051"),  # ok
    ("C", "ee0020000001521720"),  # Logoff → ID state
    ("M", "ee0000000001001131"),  # ok
    ("C", "ee0000000001219a01"),  # Terminate → Base state
    ("M", "ee0020000001008051"),  # ok
)
REFUSALS = (
    ("C", "ee0000000001201310"),  # Identify while not in Base state
    ("M", "ee00000000010a4b9e"),  # 0A ISSS
    ("C", "ee0000000003300004f85a"),  # Full read ST-4, not in STD_TBLS_USED
    ("M", "ee000000000105bc66"),  # 05 IAR
    ("C", "ee0000000003300015f05b"),  # Full read ST-21 without the needed access
    ("M", "ee0000000001038a03"),  # 03 ISC
    # Partial read ST-5 offset 18 count 4 (runs past 20 bytes)
    ("C", "ee00000000083f000500001200041469"),
    ("M", "ee0000000001043577"),  # 04 ONP
    # Index read ST-23 index 1 count 1 on a meter without index access
    ("C", "ee00000000073100170001000166f5"),
    ("M", "ee0000000001020312"),  # 02 SNS (some meters: 04 ONP)
    ("C", "ee00000000013eece9"),  # Default-table read where none is defined
    ("M", "ee0000000001020312"),  # 02 SNS
    # Partial write with a wrong table-data checksum (packet CRC is right)
    ("C", "ee000000000d4f0005000010000441424344f73e92"),
    ("M", "ee0000000001019820"),  # 01 ERR
    # Security with a wrong password
    ("C", "ee0000000015510101010101010101010101010101010101010101e0da"),
    ("M", "ee0000000001019820"),  # 01 ERR (a captured GE meter does this)
    ("C", "ee0000000005710a02050398d4"),  # Timing setup (C12.21/22 only)
    ("M", "ee0000000001020312"),  # 02 SNS
    ("C", "ee00000000017f61ba"),  # Unassigned request code
    ("M", "ee0000000001020312"),  # 02 SNS
    # Negotiate 0x60: 8192 bytes, 4 packets, no baud list
    ("C", "ee000000000460200004504c"),
    # ok, meter limits to 64 bytes, 4 packets, 9600
    ("M", "ee000000000500004004063aeb"),
    ("C", "ee0000000003300001550d"),  # Full read ST-1 while busy
    ("M", "ee0000000001062754"),  # 06 BSY
    ("C", "ee0000000003300001550d"),  # Full read ST-1, data not ready
    ("M", "ee000000000107ae45"),  # 07 DNR
    ("C", "ee0000000003300001550d"),  # Full read ST-1, data locked
    ("M", "ee00000000010859bd"),  # 08 DLK
)
SEGMENTED_WRITE = (
    # segment 1 of 2, ctrl C0 (multi+first), seq 1; meter ACKs it at once
    (
        "C",
        "ee00c00100384008000064303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c"
        "4d4e4f505152535455565758595a5b5c5d5e5f606162745e",
    ),
    # segment 2 of 2, ctrl A0 (multi, toggle 1), seq 0; meter ACKs it at once
    (
        "C",
        "ee00a0000032636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f8081828384"
        "85868788898a8b8c8d8e8f90919293ea6539",
    ),
    ("M", "ee0000000001001131"),  # ok, sent after the last segment was ACKed
)
