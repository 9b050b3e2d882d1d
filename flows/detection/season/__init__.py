"""What a feature looks like at this hour, on this weekday, at this time of the year; a season is no drift."""
