namespace TaskService.Telemetry;

/// <summary>One named value of an operation or a log line.</summary>
/// <param name="Key">Lower case with underscores; a dot goes one level down.</param>
/// <param name="Value">What it is.</param>
public readonly record struct Field(string Key, FieldValue Value);

/// <summary>What a <see cref="FieldValue"/> holds.</summary>
public enum FieldKind
{
    Null,
    Text,
    Integer,
    Number,
    Boolean,
    Duration,

    /// <summary>Something that writes itself, such as an address.</summary>
    Formatted,
}

/// <summary>A value of a field, kept without boxing, so that setting one allocates nothing.</summary>
public readonly record struct FieldValue
{
    private readonly object? reference;
    private readonly long bits;

    private FieldValue(FieldKind kind, object? reference, long bits) =>
        (Kind, this.reference, this.bits) = (kind, reference, bits);

    public FieldKind Kind { get; }

    /// <summary>The text of a <see cref="FieldKind.Text"/>, else null.</summary>
    public string? Text => reference as string;

    /// <summary>The value of a <see cref="FieldKind.Formatted"/>, else null.</summary>
    public IUtf8SpanFormattable? Formatted => reference as IUtf8SpanFormattable;

    /// <summary>
    /// The value of a <see cref="FieldKind.Integer"/>, or the microseconds of a <see cref="FieldKind.Duration"/>.
    /// </summary>
    public long Integer => bits;

    public double Number => BitConverter.Int64BitsToDouble(bits);

    public bool Boolean => bits != 0;

    public static implicit operator FieldValue(string? value) =>
        value is null ? default : new(FieldKind.Text, value, 0);

    public static implicit operator FieldValue(long value) => new(FieldKind.Integer, null, value);

    public static implicit operator FieldValue(double value) =>
        new(FieldKind.Number, null, BitConverter.DoubleToInt64Bits(value));

    public static implicit operator FieldValue(bool value) => new(FieldKind.Boolean, null, value ? 1 : 0);

    /// <summary>Written as milliseconds with three decimals.</summary>
    public static implicit operator FieldValue(TimeSpan value) =>
        new(FieldKind.Duration, null, value.Ticks / TimeSpan.TicksPerMicrosecond);

    /// <summary>
    /// Written as text, but only where it is written: no string is made of it. It must not change any more.
    /// </summary>
    public static FieldValue FromFormattable(IUtf8SpanFormattable? value) =>
        value is null ? default : new(FieldKind.Formatted, value, 0);

    /// <summary>Whatever it is: numbers and booleans as such, anything else as its invariant text.</summary>
    public static FieldValue From(object? value) => value switch
    {
        null => default,
        string text => text,
        bool flag => flag,
        byte or sbyte or short or ushort or int or uint or long =>
            Convert.ToInt64(value, System.Globalization.CultureInfo.InvariantCulture),
        float or double => Convert.ToDouble(value, System.Globalization.CultureInfo.InvariantCulture),
        TimeSpan duration => duration,
        IFormattable formattable => formattable.ToString(null, System.Globalization.CultureInfo.InvariantCulture),
        _ => value.ToString(),
    };
}
