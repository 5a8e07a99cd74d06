"""The stand-ins for vision_msgs, Autoware and video; the types are generated when the environment is built."""

from autoware_perception_msgs.msg import (
    ObjectClassification,
    Shape,
    TrackedObject,
    TrackedObjectKinematics,
    TrackedObjects,
)
from ffmpeg_image_transport_msgs.msg import FFMPEGPacket
from foxglove_msgs.msg import CompressedVideo
from vision_msgs.msg import BoundingBox3D, BoundingBox3DArray, Detection3D, Detection3DArray, ObjectHypothesisWithPose


def test_the_fields_are_those_of_vision_msgs_4():
    assert Detection3DArray.get_fields_and_field_types() == {
        'header': 'std_msgs/Header', 'detections': 'sequence<vision_msgs/Detection3D>'}
    assert Detection3D.get_fields_and_field_types() == {
        'header': 'std_msgs/Header', 'results': 'sequence<vision_msgs/ObjectHypothesisWithPose>',
        'bbox': 'vision_msgs/BoundingBox3D', 'id': 'string'}
    assert ObjectHypothesisWithPose.get_fields_and_field_types() == {
        'hypothesis': 'vision_msgs/ObjectHypothesis', 'pose': 'geometry_msgs/PoseWithCovariance'}
    assert type(ObjectHypothesisWithPose().hypothesis).get_fields_and_field_types() == {
        'class_id': 'string', 'score': 'double'}
    assert BoundingBox3D.get_fields_and_field_types() == {
        'center': 'geometry_msgs/Pose', 'size': 'geometry_msgs/Vector3'}
    assert BoundingBox3DArray.get_fields_and_field_types() == {
        'header': 'std_msgs/Header', 'boxes': 'sequence<vision_msgs/BoundingBox3D>'}


def test_the_fields_are_those_of_autoware_perception_msgs_1_11():
    assert TrackedObjects.get_fields_and_field_types() == {
        'header': 'std_msgs/Header', 'objects': 'sequence<autoware_perception_msgs/TrackedObject>'}
    assert TrackedObject.get_fields_and_field_types() == {
        'object_id': 'unique_identifier_msgs/UUID', 'existence_probability': 'float',
        'classification': 'sequence<autoware_perception_msgs/ObjectClassification>',
        'kinematics': 'autoware_perception_msgs/TrackedObjectKinematics', 'shape': 'autoware_perception_msgs/Shape'}
    assert TrackedObjectKinematics.get_fields_and_field_types() == {
        'pose_with_covariance': 'geometry_msgs/PoseWithCovariance',
        'twist_with_covariance': 'geometry_msgs/TwistWithCovariance',
        'acceleration_with_covariance': 'geometry_msgs/AccelWithCovariance',
        'orientation_availability': 'uint8', 'is_stationary': 'boolean'}
    assert Shape.get_fields_and_field_types() == {
        'type': 'uint8', 'footprint': 'geometry_msgs/Polygon', 'dimensions': 'geometry_msgs/Vector3'}
    assert ObjectClassification.get_fields_and_field_types() == {'label': 'uint8', 'probability': 'float'}
    assert (ObjectClassification.CAR, ObjectClassification.BICYCLE, ObjectClassification.PEDESTRIAN) == (1, 6, 7)
    assert (Shape.BOUNDING_BOX, TrackedObjectKinematics.AVAILABLE) == (0, 2)


def test_the_fields_are_those_of_the_messages_of_video():
    assert FFMPEGPacket.get_fields_and_field_types() == {
        'header': 'std_msgs/Header', 'width': 'int32', 'height': 'int32', 'encoding': 'string', 'pts': 'uint64',
        'flags': 'uint8', 'is_bigendian': 'boolean', 'data': 'sequence<uint8>'}
    assert CompressedVideo.get_fields_and_field_types() == {
        'timestamp': 'builtin_interfaces/Time', 'frame_id': 'string', 'data': 'sequence<uint8>', 'format': 'string'}
