"""What customers will do: purchases still to come, the probability of being alive, spend and retention.

>>> from crmlib import BetaGeoModel
>>> model = BetaGeoModel.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426, time_unit="W")
>>> print(f"{model.expected_purchases_new_customer('1Y'):.2f}")
1.45
"""
