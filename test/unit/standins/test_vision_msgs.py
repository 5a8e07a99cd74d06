"""The stand-in for vision_msgs; the types are generated when the environment is built."""

from vision_msgs.msg import BoundingBox3D, BoundingBox3DArray, Detection3D, Detection3DArray, ObjectHypothesisWithPose


def test_the_fields_are_those_of_version_4():
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
