"""The names of what fits leave behind."""

SCIKIT_LEARNS = (
    *("n_iter_", "t_", "loss_", "best_loss_", "loss_curve_", "validation_scores_"),
    "best_validation_score_",
)
OF_DATA = ("n_features_in_", "feature_names_in_", "classes_")
OF_FITS = (*SCIKIT_LEARNS, "validation_loss_curve_", "stopped_", "history_", "callbacks_")
"""What a fit that begins anew forgets."""

SAVED = (
    *OF_DATA,
    *SCIKIT_LEARNS,
    *("_multilabel", "validation_loss_curve_", "stopped_", "_convergence"),
)
"""What a file holds beside the network; curves of the last fit are its history."""
