"use strict";
// Keeps the filters "Period" and "From", "To" consistent: the server prefers dates that are given, so
// choosing a period clears them, and a date that is entered selects the period "Dates".
{
  const byId = (id) => document.getElementById(id);
  const period = byId("span"), dates = [byId("from"), byId("to")];
  for (const field of dates) {
    field.addEventListener("input", () => { if (field.value) period.value = "dates"; });
  }
  period.addEventListener("change", () => {
    if (period.value !== "dates") for (const field of dates) field.value = "";
  });
}
