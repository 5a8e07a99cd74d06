"""
The types of ``etsi_its_cpm_ts_msgs`` as far as they are mapped: the real ones where they are installed.

Its hundred types take minutes to generate, so tests of the mapping use plain objects with the same names. They cannot
be serialized.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

PACKAGE = 'etsi_its_cpm_ts_msgs'
_NUMBERS = """
OrdinalNumber1B MessageId StationId TimestampIts Latitude Longitude SemiAxisLength HeadingValue AltitudeValue
AltitudeConfidence CardinalNumber3b OrdinalNumber3b CpmContainerId CardinalNumber1B Identifier2B
DeltaTimeMilliSecondSigned CartesianCoordinateLarge CoordinateConfidence SpeedValue SpeedConfidence CartesianAngleValue
AngleConfidence VelocityComponentValue CartesianAngularVelocityComponentValue AngularSpeedConfidence
ObjectDimensionValue ObjectDimensionConfidence ObjectPerceptionQuality TrafficParticipantType VruSubProfilePedestrian
VruSubProfileBicyclist VruSubProfileMotorcyclist OtherSubClass ConfidenceLevel
"""
"""With one field, ``value``."""
_TABLE = """
CollectivePerceptionMessage: header ItsPduHeader, payload CpmPayload
ItsPduHeader: protocol_version OrdinalNumber1B, message_id MessageId, station_id StationId
CpmPayload: management_container ManagementContainer, cpm_containers ConstraintWrappedCpmContainers
ManagementContainer: reference_time TimestampIts, reference_position ReferencePosition,
  segmentation_info MessageSegmentationInfo?
ReferencePosition: latitude Latitude, longitude Longitude, position_confidence_ellipse PosConfidenceEllipse,
  altitude Altitude
PosConfidenceEllipse: semi_major_confidence SemiAxisLength, semi_minor_confidence SemiAxisLength,
  semi_major_orientation HeadingValue
Altitude: altitude_value AltitudeValue, altitude_confidence AltitudeConfidence
MessageSegmentationInfo: total_msg_no CardinalNumber3b, this_msg_no OrdinalNumber3b
ConstraintWrappedCpmContainers: value WrappedCpmContainers
WrappedCpmContainers: array []
WrappedCpmContainer: container_id CpmContainerId,
  container_data_perceived_object_container PerceivedObjectContainer
PerceivedObjectContainer: number_of_perceived_objects CardinalNumber1B, perceived_objects PerceivedObjects
PerceivedObjects: array []
PerceivedObject: object_id Identifier2B?, measurement_delta_time DeltaTimeMilliSecondSigned,
  position CartesianPosition3dWithConfidence, velocity Velocity3dWithConfidence?, angles EulerAnglesWithConfidence?,
  z_angular_velocity CartesianAngularVelocityComponent?, object_dimension_z ObjectDimension?,
  object_dimension_y ObjectDimension?, object_dimension_x ObjectDimension?, object_age DeltaTimeMilliSecondSigned?,
  object_perception_quality ObjectPerceptionQuality?, classification ObjectClassDescription?
CartesianPosition3dWithConfidence: x_coordinate CartesianCoordinateWithConfidence,
  y_coordinate CartesianCoordinateWithConfidence, z_coordinate CartesianCoordinateWithConfidence?
CartesianCoordinateWithConfidence: value CartesianCoordinateLarge, confidence CoordinateConfidence
Velocity3dWithConfidence: choice 0, polar_velocity VelocityPolarWithZ, cartesian_velocity VelocityCartesian
VelocityPolarWithZ: velocity_magnitude Speed, velocity_direction CartesianAngle
Speed: speed_value SpeedValue, speed_confidence SpeedConfidence
CartesianAngle: value CartesianAngleValue, confidence AngleConfidence
VelocityComponent: value VelocityComponentValue, confidence SpeedConfidence
VelocityCartesian: x_velocity VelocityComponent, y_velocity VelocityComponent
EulerAnglesWithConfidence: z_angle CartesianAngle
CartesianAngularVelocityComponent: value CartesianAngularVelocityComponentValue, confidence AngularSpeedConfidence
ObjectDimension: value ObjectDimensionValue, confidence ObjectDimensionConfidence
ObjectClassDescription: array []
ObjectClassWithConfidence: object_class ObjectClass, confidence ConfidenceLevel
ObjectClass: choice 0, vehicle_sub_class TrafficParticipantType, vru_sub_class VruProfileAndSubprofile,
  other_sub_class OtherSubClass
VruProfileAndSubprofile: choice 0, pedestrian VruSubProfilePedestrian,
  bicyclist_and_light_vru_vehicle VruSubProfileBicyclist, motorcyclist VruSubProfileMotorcyclist
"""
"""By type, its fields and their types; ``?`` stands for one with a field ``..._is_present`` beside it."""
CHOICES = {'Velocity3dWithConfidence': {'CHOICE_POLAR_VELOCITY': 0, 'CHOICE_CARTESIAN_VELOCITY': 1},
           'ObjectClass': {'CHOICE_VEHICLE_SUB_CLASS': 0, 'CHOICE_VRU_SUB_CLASS': 1, 'CHOICE_GROUP_SUB_CLASS': 2,
                           'CHOICE_OTHER_SUB_CLASS': 3}}


def fields() -> dict[str, dict[str, str]]:
    """Return the types of fields by type and name, flags of presence included; numbers are ``0``, arrays ``[]``."""
    found = {name: {'value': '0'} for name in _NUMBERS.split()}
    for line in _TABLE.replace('\n  ', ' ').strip().splitlines():
        name, _, rest = line.partition(': ')
        found[name] = {}
        for entry in rest.split(', '):
            field, kind = entry.split()
            found[name][field] = kind.rstrip('?')
            if kind.endswith('?'):
                found[name][f'{field}_is_present'] = '0'
    return found


class _Plain:
    """A message whose fields are 0, empty or plain messages until they are set."""

    def __init__(self, **values):
        for name, kind in type(self).FIELDS.items():
            default = 0 if kind == '0' else [] if kind == '[]' else type(self).KINDS[kind]()
            setattr(self, name, values.pop(name, default))
        assert not values, f'{type(self).__name__} has no {", ".join(values)}'


def install() -> None:
    """Let the package be imported, if need be with plain objects for its types."""
    if find_spec(PACKAGE) is not None:
        return
    kinds: dict[str, type] = {}
    for name, of in fields().items():
        kinds[name] = type(name, (_Plain,), {'FIELDS': of, 'KINDS': kinds, '__slots__': tuple(of),
                                             '__module__': f'{PACKAGE}.msg', **CHOICES.get(name, {})})
    for module in (PACKAGE, f'{PACKAGE}.msg'):
        sys.modules[module] = ModuleType(module)
        sys.modules[module].__spec__ = ModuleSpec(module, None)
    sys.modules[f'{PACKAGE}.msg'].__dict__.update(kinds)
