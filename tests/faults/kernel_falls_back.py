#!/usr/bin/env python3
"""Options vanish in mid-stream between `hawser nc` and the kernel's MPTCP: no wrong byte may arrive. Exit 1: one did.

usage: unshare -n python3 tests/faults/kernel_falls_back.py HAWSER both|out|in 100000 400000 oneway|hello|duplex [checksum]

Options are taken away for good after so many bytes. "hello": the kernel says 300 bytes first and only listens then.
"""
import socket,subprocess,sys,time,threading,os,fcntl,struct,ctypes,select,hashlib
H=sys.argv[1]; strip_out=sys.argv[2] in("out","both"); strip_in=sys.argv[2] in("in","both"); after=int(sys.argv[3]); total=int(sys.argv[4]); mode=sys.argv[5] if len(sys.argv)>5 else "oneway"; cks="checksum" in sys.argv
libc=ctypes.CDLL(None,use_errno=True)
def sh(s): subprocess.run(s,shell=True,check=True)
def tun(name):
    f=os.open("/dev/net/tun",os.O_RDWR); fcntl.ioctl(f,0x400454ca,struct.pack("16sH22x",name.encode(),0x1001)); return f
base="for f in all default; do echo 0 >/proc/sys/net/ipv4/conf/$f/rp_filter; done; ip link set lo up;"
sh(base+"echo 1 >/proc/sys/net/ipv4/ip_forward")
A=tun("ta"); sh("ip link set ta up; ip addr add 10.7.0.1/24 dev ta; ip route add 10.8.0.0/24 dev ta")
nsA=os.open("/proc/self/ns/net",os.O_RDONLY)
p0=subprocess.Popen(["unshare","-n","sleep","1000"]); time.sleep(.5)
nsB=os.open("/proc/%d/ns/net"%p0.pid,os.O_RDONLY)
libc.setns(nsB,0)
B=tun("tb"); sh(base+"ip link set tb up; ip addr add 10.8.0.1/24 dev tb; ip route add 10.9.0.0/16 dev tb; echo 1 >/proc/sys/net/mptcp/enabled; ip mptcp limits set subflow 8 add_addr_accepted 8")
if cks: sh("echo 1 >/proc/sys/net/mptcp/checksum_enabled")
s=socket.socket(socket.AF_INET,socket.SOCK_STREAM,262); s.bind(("10.8.0.1",5001)); s.listen()
libc.setns(nsA,0)
count=[0,0]; stripped=[0,0]; on=[False]
def csum(b):
    if len(b)%2: b+=b"\0"
    t=sum(struct.unpack(">%dH"%(len(b)//2),b))
    while t>>16: t=(t&0xffff)+(t>>16)
    return ~t&0xffff
def work(pk,way):
    ih=(pk[0]&15)*4
    if pk[0]>>4!=4 or pk[9]!=6: return pk
    t=bytearray(pk[ih:]); off=(t[12]>>4)*4
    count[way]+=len(t)-off
    if count[0]+count[1]>=after: on[0]=True
    if not on[0] or not (strip_out,strip_in)[way] or t[13]&2: return pk
    i=20; hit=False
    while i<off:
        k=t[i]
        if k==0: break
        if k==1: i+=1; continue
        l=t[i+1]
        if k==30: t[i:i+l]=b"\1"*l; hit=True
        i+=l
    if hit:
        stripped[way]+=1
        t[16:18]=b"\0\0"
        t[16:18]=struct.pack(">H",csum(pk[12:20]+struct.pack(">BBH",0,6,len(t))+bytes(t)))
    return pk[:ih]+bytes(t)
def pump():
    while True:
        for f in select.select([A,B],[],[])[0]:
            pk=os.read(f,70000); time.sleep(0.0005)
            os.write(B if f==A else A, work(pk,0 if f==A else 1))
threading.Thread(target=pump,daemon=True).start()
up=os.urandom(total); down=os.urandom(total) if mode=="duplex" else os.urandom(300) if mode=="hello" else b""
p=subprocess.Popen([H,"nc","-v","--link","tun,dev=hw0,addr=10.9.0.1/24,nogso","10.8.0.1","5001"],stdin=subprocess.PIPE,stdout=subprocess.PIPE,stderr=subprocess.PIPE)
c=s.accept()[0]; c.settimeout(40)
def w():
    try:
        for i in range(0,total,5000): p.stdin.write(up[i:i+5000]); p.stdin.flush(); time.sleep(.002)
        p.stdin.close()
    except Exception as e: print("stdin",e)
def w2():
    try:
        for i in range(0,len(down),5000): c.sendall(down[i:i+5000]); time.sleep(.002)
        time.sleep(30 if mode=="hello" else 0); c.shutdown(1)
    except Exception as e: print("kernel send",e)
gotd=[b""]
def r2():
    while True:
        b=p.stdout.read1(1<<20)
        if not b: break
        gotd[0]+=b
t0=time.time()
for f in (w,w2,r2): threading.Thread(target=f,daemon=True).start()
got=b""
try:
    while True:
        b=c.recv(1<<20)
        if not b: break
        got+=b
except OSError as e: print("kernel recv",e)
wrong=[False]
def cmp(n,g,e):
    d=next((i for i in range(len(g)) if i>=len(e) or g[i]!=e[i]),None)
    wrong[0]|=d is not None
    print(n,"got",len(g),"of",len(e),"RIGHT so far" if d is None else "WRONG BYTES at %d; there stands what belongs at %d"%(d,e.find(g[d:d+32])))
print(sys.argv[2:],"%.1f s"%(time.time()-t0),"stripped",stripped)
cmp("kernel",got,up)
try: p.wait(15)
except: p.kill(); print("nc hangs")
cmp("hawser",gotd[0],down)
print("exit",p.returncode); print(" ".join(p.stderr.read().decode().split())[-700:])
p0.kill()
sys.exit(wrong[0])
