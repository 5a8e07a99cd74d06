"""A roadside unit that falls silent for three seconds and comes back."""


def test_vehicle_goes_on_alone_and_takes_messages_in_again(ego):
    modes = []
    for step in range(50):
        if not 10 <= step < 40:
            ego.features(sequence=step)
        answer = ego.frame()
        modes.append(answer.mode)
        assert answer.tracks
    # The last message stays usable for a second, because its age is made up for.
    assert modes[:10] == ['cooperative'] * 10
    assert modes[20:40] == ['none'] * 20
    assert modes[40:] == ['cooperative'] * 10
    assert len(ego.tracks) == 50


def test_age_of_the_message_is_reported(ego):
    ego.features(sequence=0)
    ego.frame()
    answer = ego.frame()
    assert answer.has_infra
    assert abs(answer.infra_age_s - 0.1) < 1e-6
