"""Recipes: families, files, epochs."""

import pytest

from cooptrack_ros.common.config import MINI, PRESETS, R50, R50_BETTER
from cooptrack_ros.common.errors import UserError
from cooptrack_ros.train.recipe import RECIPES, load_recipe, recipe_family, with_steps


def test_every_configuration_has_its_family():
    assert [recipe_family(c) for c in (MINI, R50, R50_BETTER, PRESETS['r101_full'])] == [
        'mini', 'paper', 'better', 'paper']


@pytest.mark.parametrize(('stage', 'frames', 'steps'), [
    ('detection-vehicle', 7110, 888 * 24), ('detection-roadside', 7445, 930 * 24), ('vehicle', 7110, 888 * 48),
    ('roadside', 7445, 930 * 24), ('cooperative', 7362, 460 * 48)])
def test_the_papers_schedules_have_its_number_of_steps(stage, frames, steps):
    assert with_steps(RECIPES[f'paper-{stage}'], frames).steps == steps


def test_a_file_overrides_a_recipe(tmp_path):
    path = tmp_path / 'recipe.yaml'
    path.write_text('recipe: mini-vehicle\nlearning_rate: 0.001\nselection: {carry_score: 0.3}\n')
    recipe = load_recipe(str(path))
    assert (recipe.learning_rate, recipe.selection.carry_score) == (0.001, 0.3)
    assert recipe.selection.min_iou == RECIPES['mini-vehicle'].selection.min_iou


@pytest.mark.parametrize(('text', 'message'), [
    ('recipe: nothing', "'recipe' is one of"), ('recipe: mini-vehicle\nrate: 1', "unknown configuration key 'rate'")])
def test_a_wrong_file_is_explained(tmp_path, text, message):
    (tmp_path / 'recipe.yaml').write_text(text)
    with pytest.raises(UserError, match=message):
        load_recipe(str(tmp_path / 'recipe.yaml'))


def test_an_unknown_recipe_is_named():
    with pytest.raises(UserError, match="no recipe 'quick'"):
        load_recipe('quick')
