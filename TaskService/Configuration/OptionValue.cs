using System.ComponentModel;
using System.Globalization;
using System.Text.RegularExpressions;

namespace TaskService.Configuration;

/// <summary>Texts as values of the types that properties of options have.</summary>
internal static partial class OptionValue
{
    /// <summary>Whether a single text is converted to this type.</summary>
    public static bool IsText(Type type) => type == typeof(byte[])
        || TypeDescriptor.GetConverter(type).CanConvertFrom(typeof(string));

    /// <summary>Finds the form of a text that .NET converts to the type.</summary>
    /// <param name="type">Of a property.</param>
    /// <param name="text">As configured.</param>
    /// <param name="expected">The words for what it must be when it cannot be converted.</param>
    /// <returns>Null when it cannot be converted.</returns>
    public static string? Normalize(Type type, string text, out string expected)
    {
        var plain = Nullable.GetUnderlyingType(type) ?? type;
        var known = plain.IsEnum ? Enum.GetNames(plain) : [];
        var name = Array.Find(known, one => ConfigSource.IsSameName(one, text));
        expected = Expected(plain) + (known.Length > 0 ? ConfigProblems.Allowed(text, known) : "");
        if (plain == typeof(bool))
        {
            return ConfigSection.ParseFlag(text) is { } flag ? $"{flag}" : null;
        }
        return name ?? (CanConvert(plain, text) ? text : null);
    }

    /// <summary>What is shown of a value: numbers and booleans as they are, all else as text.</summary>
    public static object Shown(Type type, object value)
    {
        var plain = Nullable.GetUnderlyingType(type) ?? type;
        var text = Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
        return plain == typeof(bool) ? ConfigSection.ParseFlag(text) ?? false
            : IsWhole(plain) && long.TryParse(text, CultureInfo.InvariantCulture, out var whole) ? whole
            : IsNumber(plain) && double.TryParse(text, CultureInfo.InvariantCulture, out var number) ? number
            : text;
    }

    /// <summary>Whether a value is not to be shown, as far as its name and its form say.</summary>
    public static bool IsSecret(string name, string? text) =>
        SecretName().IsMatch(name) || SecretText().IsMatch(text ?? "");

    private static string Expected(Type type)
    {
        if (IsWhole(type))
        {
            return $"a whole number from {Bound(type, "MinValue")} to {Bound(type, "MaxValue")}";
        }
        return IsNumber(type) ? "a number"
            : type.IsEnum ? "one of a few names"
            : type == typeof(bool) ? "true or false"
            : type == typeof(TimeSpan) ? "a time such as 00:00:30"
            : type == typeof(Uri) ? "a URL"
            : type == typeof(byte[]) ? "Base64"
            : $"a {type.Name}";
    }

    private static string Bound(Type type, string name) =>
        Convert.ToString(type.GetField(name)?.GetValue(null), CultureInfo.InvariantCulture) ?? "";

    private static bool CanConvert(Type type, string text)
    {
        // It would be a number of days, which nobody expects.
        if (type == typeof(TimeSpan) && text.All(char.IsAsciiDigit))
        {
            return false;
        }
        try
        {
            _ = type == typeof(byte[])
                ? Convert.FromBase64String(text) : TypeDescriptor.GetConverter(type).ConvertFromInvariantString(text);
            return true;
        }
        catch (Exception error) when (error is FormatException or ArgumentException or OverflowException
            or NotSupportedException or InvalidCastException || error.InnerException is FormatException)
        {
            return false;
        }
    }

    private static bool IsWhole(Type type) =>
        !type.IsEnum && Type.GetTypeCode(type) is >= TypeCode.SByte and <= TypeCode.UInt64;

    private static bool IsNumber(Type type) =>
        !type.IsEnum && Type.GetTypeCode(type) is >= TypeCode.SByte and <= TypeCode.Decimal;

    [GeneratedRegex(@"pass|pwd|secret|token|credential|key\z|connection-?string|dsn|cookie|auth|signature|private",
        RegexOptions.IgnoreCase)]
    private static partial Regex SecretName();

    // As in connection strings and the queries of URLs.
    [GeneratedRegex(@"(pass\w*|pwd|secret|token|key|sig|authorization)\s*[=:]|\bbasic\s|\bbearer\s",
        RegexOptions.IgnoreCase)]
    private static partial Regex SecretText();
}
