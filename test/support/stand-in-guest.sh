# The first process of a guest that stands in for a real one: a root of its own, the overlay of /workspace, the agent.
# Runs in namespaces of its own. Arguments: folder of the root, upper, work and lower folder, folder of sockets, agent, magic.
set -e
root=$1 upper=$2 work=$3 lower=$4 sockets=$5 agent=$6 magic=$7
mount -t tmpfs tmpfs "$root"
cd "$root"
mkdir proc dev tmp run root var home opt workspace pyro pyro/upper pyro/lower pyro/sockets
chmod 1777 tmp
for name in bin lib lib64 sbin usr etc; do
  if [ -L "/$name" ]; then
    cp -P "/$name" "$name"
  elif [ -d "/$name" ]; then
    mkdir "$name"
    mount --bind "/$name" "$name"
    mount -o remount,bind,ro "$name"
  fi
done
mount -t proc proc proc 2>/dev/null || mount --rbind /proc proc
mkdir dev/pts dev/shm
mount -t devpts devpts dev/pts -o newinstance,ptmxmode=0666
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for name in null zero full random urandom tty; do
  touch "dev/$name"
  mount --bind "/dev/$name" "dev/$name"
done
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$upper,workdir=$work,userxattr" workspace
mount --bind "$upper" pyro/upper
mount --bind "$lower" pyro/lower
mount --bind "$sockets" pyro/sockets
touch pyro/agent
mount --bind "$agent" pyro/agent
# The agent is not the first process: that one would boot the guest. Nor is it one in the background, which ignores SIGINT.
chroot "$root" /pyro/agent --socket /pyro/sockets/a --network /pyro/sockets/n --magic "$magic" --overlay \
  --workspace /workspace --upper /pyro/upper --lower /pyro/lower
exit 0
