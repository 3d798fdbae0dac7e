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
}

/// <summary>A value of a field, kept without boxing, so that setting one allocates nothing.</summary>
public readonly record struct FieldValue
{
    private readonly long bits;

    private FieldValue(FieldKind kind, string? text, long bits) => (Kind, Text, this.bits) = (kind, text, bits);

    public FieldKind Kind { get; }

    /// <summary>The text of a <see cref="FieldKind.Text"/>, else null.</summary>
    public string? Text { get; }

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
