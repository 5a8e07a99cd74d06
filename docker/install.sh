#!/bin/bash
# What both images do, in a workspace with the clone in src/cooptrack_ros and ROS 2 Jazzy in /opt/ros.
set -e
clone=src/cooptrack_ros
. "/opt/ros/$ROS_DISTRO/setup.bash"
apt-get update
apt-get install -y --no-install-recommends \
    build-essential python3-colcon-common-extensions python3-pip python3-rosdep python3-venv
[ -f /etc/ros/rosdep/sources.list.d/20-default.list ] || rosdep init
rosdep update --rosdistro "$ROS_DISTRO"
rosdep install --from-paths "$clone" "$clone/src/cooptrack_msgs" --ignore-src -y
rm -rf /var/lib/apt/lists/*

# What no apt package has, in the versions of the one list of them.
python3 -m venv --system-site-packages venv
touch venv/COLCON_IGNORE
. venv/bin/activate
pins="$clone/tools/requirements.txt"
pip install --no-cache-dir -c "$pins" ${TORCH_INDEX_URL:+--index-url "$TORCH_INDEX_URL"} torch
pip install --no-cache-dir -c "$pins" safetensors rosbags

# From the environment: the nodes are to run with its Python.
python -m colcon build --base-paths "$clone" "$clone/src/cooptrack_msgs"
