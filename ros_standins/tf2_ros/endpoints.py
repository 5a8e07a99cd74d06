"""Publishers and subscriptions of /tf and /tf_static."""

from __future__ import annotations

from collections.abc import Iterable

from geometry_msgs.msg import TransformStamped
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile
from tf2_msgs.msg import TFMessage

from .buffer import Buffer


def _qos(depth: int, durability: DurabilityPolicy) -> QoSProfile:
    return QoSProfile(depth=depth, durability=durability, history=HistoryPolicy.KEEP_LAST)


class TransformListener:
    """Puts all transforms that are published into a buffer, as long as the node is spun."""

    def __init__(self, buffer: Buffer, node, *, qos: QoSProfile | int | None = None,
                 static_qos: QoSProfile | int | None = None, tf_topic: str = '/tf',
                 tf_static_topic: str = '/tf_static'):
        self.buffer, self.node = buffer, node
        # Reentrant: a callback of the node may wait for a transform that comes meanwhile.
        self.group = ReentrantCallbackGroup()
        self.tf_sub = node.create_subscription(
            TFMessage, tf_topic, self.callback, qos or _qos(100, DurabilityPolicy.VOLATILE), callback_group=self.group)
        self.tf_static_sub = node.create_subscription(
            TFMessage, tf_static_topic, self.static_callback,
            static_qos or _qos(100, DurabilityPolicy.TRANSIENT_LOCAL), callback_group=self.group)

    def unregister(self) -> None:
        """Stop listening."""
        self.node.destroy_subscription(self.tf_sub)
        self.node.destroy_subscription(self.tf_static_sub)

    def callback(self, data: TFMessage) -> None:
        """Store dynamic transforms."""
        for transform in data.transforms:
            self.buffer.set_transform(transform, 'default_authority')

    def static_callback(self, data: TFMessage) -> None:
        """Store static transforms."""
        for transform in data.transforms:
            self.buffer.set_transform_static(transform, 'default_authority')


class TransformBroadcaster:
    """Publishes transforms on /tf."""

    def __init__(self, node, qos: QoSProfile | int = 100):
        self.pub_tf = node.create_publisher(TFMessage, '/tf', qos)

    def sendTransform(self, transform: TransformStamped | Iterable[TransformStamped]) -> None:
        """Publish one transform or several in one message."""
        self.pub_tf.publish(_message(transform))


class StaticTransformBroadcaster:
    """Publishes transforms on /tf_static; who comes later gets the last message, so it should hold all of them."""

    def __init__(self, node, qos: QoSProfile | int | None = None):
        self.pub_tf = node.create_publisher(TFMessage, '/tf_static',
                                            qos or _qos(1, DurabilityPolicy.TRANSIENT_LOCAL))

    def sendTransform(self, transform: TransformStamped | Iterable[TransformStamped]) -> None:
        """Publish one transform or several in one message."""
        self.pub_tf.publish(_message(transform))


def _message(transform: TransformStamped | Iterable[TransformStamped]) -> TFMessage:
    return TFMessage(transforms=[transform] if isinstance(transform, TransformStamped) else list(transform))
