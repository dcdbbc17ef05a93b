"""Who the customers are: their summary, segments, the five lenses of an audit and the month under review.

A purchase log comes in (an Ibis table, or a frame with `customer_id, date, amount`), frames go out.
"""
