"""Image builds and containers on the local machine, without Docker and without pulls.

Every container has a root of its own in fresh mount and PID namespaces: stacks of image layers with overlayfs, over
the host's /usr and a copy of its /etc (nothing else of the host is visible). A base image from a registry therefore
means the host's distribution plus a Python in /usr/local. Functions use the host's network; sandboxes have their own
(network.py). It works unprivileged too, in a user namespace, but with one user: daemons that change user, such as
sshd, do not run there. As root a container is no security boundary: it has all capabilities and the host's /dev.

A layer is a directory with one subtree per overlay mount: `root` and `usr`. (One overlay over `/` would be simpler,
but overlayfs refuses a lower directory that contains another, and in a user namespace one that has mounts below it,
as /etc and /var often do.)
"""
