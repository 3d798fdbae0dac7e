namespace TaskService.Configuration;

/// <summary>
/// Reads <c>name=value,name=value</c>, as variables of OpenTelemetry are written: the values are percent-encoded
/// (https://www.w3.org/TR/baggage/#header-content, without properties).
/// </summary>
internal static class PercentEncodedPairs
{
    /// <param name="text">May end with a comma.</param>
    /// <param name="pairs">Those that are well-formed.</param>
    /// <param name="problem">What is wrong with the others, without their text, which may be a secret.</param>
    public static bool TryParse(string text, out List<(string Name, string Value)> pairs, out string problem)
    {
        (pairs, problem) = ([], "");
        foreach (var pair in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var (name, value) = pair.Split('=', 2, StringSplitOptions.TrimEntries) is [var before, var after]
                ? (before, after)
                : ("", "");
            if (name.Length > 0 && IsEncoded(value))
            {
                pairs.Add((Uri.UnescapeDataString(name), Uri.UnescapeDataString(value)));
            }
            else
            {
                problem = "must be name=value,name=value, with %25 for a % and %2C for a comma in a value";
            }
        }
        return problem.Length == 0;
    }

    private static bool IsEncoded(string value)
    {
        var parts = value.Split('%');
        return parts.Skip(1).All(part =>
            part.Length >= 2 && char.IsAsciiHexDigit(part[0]) && char.IsAsciiHexDigit(part[1]));
    }
}
