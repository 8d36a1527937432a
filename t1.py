import os
from engine import Engine
def threads(): return sorted((int(t),sorted(os.sched_getaffinity(int(t)))) for t in os.listdir('/proc/self/task'))
b=threads()
e=Engine("gan-mlp-digits", precision="bf16", batch_size=64, threads=2, backend="native")
z=e.latents(64)
for i in range(6):
    for _ in range(50): e.decode(z,output='uint8')
    print([t for t in threads() if t[0] not in dict(b)])
