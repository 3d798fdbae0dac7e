using System.Text;
using System.Text.Json;

namespace TaskService.Http;

/// <summary>A member of a JSON object: how its value is read, checked, written and copied.</summary>
/// <typeparam name="TModel">The object; a member that is not there is null in it.</typeparam>
internal abstract class JsonMember<TModel>(string name)
{
    private readonly byte[] utf8 = Encoding.UTF8.GetBytes(name);

    public string Name => name;

    /// <summary>RFC 6901.</summary>
    public string Pointer { get; } = Violation.PointerTo(name);

    /// <summary>Whether a document without it is invalid, and a patch cannot remove it.</summary>
    public bool IsRequired { get; init; }

    /// <summary>The name, escaped as JSON has it.</summary>
    protected JsonEncodedText EncodedName { get; } = JsonEncodedText.Encode(name);

    public bool IsNamedBy(ref Utf8JsonReader reader) => reader.ValueTextEquals(utf8);

    /// <summary>Sets the value that the reader is at, which is not null.</summary>
    /// <returns>What is wrong with it, in words that follow its name; null when nothing is.</returns>
    public abstract string? Read(ref Utf8JsonReader reader, TModel model);

    /// <summary>Writes name and value; nothing when the value is null.</summary>
    public abstract void Write(Utf8JsonWriter writer, TModel model);

    public abstract void Copy(TModel from, TModel to);
}

/// <inheritdoc cref="JsonMember{TModel}"/>
/// <param name="name">In the document.</param>
/// <param name="get">From the model.</param>
/// <param name="set">In the model.</param>
internal abstract class JsonMember<TModel, TValue>(
    string name, Func<TModel, TValue?> get, Action<TModel, TValue?> set) : JsonMember<TModel>(name)
{
    public sealed override string? Read(ref Utf8JsonReader reader, TModel model)
    {
        set(model, ReadValue(ref reader, out var problem));
        return problem;
    }

    public sealed override void Write(Utf8JsonWriter writer, TModel model)
    {
        if (get(model) is { } value)
        {
            WriteValue(writer, value);
        }
    }

    public sealed override void Copy(TModel from, TModel to) => set(to, get(from));

    protected abstract TValue? ReadValue(ref Utf8JsonReader reader, out string? problem);

    protected abstract void WriteValue(Utf8JsonWriter writer, TValue value);
}

/// <summary>A string.</summary>
/// <inheritdoc cref="JsonMember{TModel, TValue}"/>
/// <param name="problemOf">What is wrong with a text, in words that follow its name; null when nothing is.</param>
internal sealed class JsonText<TModel>(
    string name, Func<TModel, string?> get, Action<TModel, string?> set, Func<string, string?> problemOf)
    : JsonMember<TModel, string>(name, get, set)
{
    protected override string? ReadValue(ref Utf8JsonReader reader, out string? problem)
    {
        var text = reader.TokenType == JsonTokenType.String ? StrictJson.Text(ref reader) : null;
        problem = text is null ? "must be a string" : problemOf(text);
        return text;
    }

    protected override void WriteValue(Utf8JsonWriter writer, string value) => writer.WriteString(EncodedName, value);
}

/// <summary>True or false.</summary>
/// <inheritdoc cref="JsonMember{TModel, TValue}"/>
internal sealed class JsonFlag<TModel>(string name, Func<TModel, bool?> get, Action<TModel, bool?> set)
    : JsonMember<TModel, bool?>(name, get, set)
{
    protected override bool? ReadValue(ref Utf8JsonReader reader, out string? problem)
    {
        bool? flag = reader.TokenType is JsonTokenType.True or JsonTokenType.False ? reader.GetBoolean() : null;
        problem = flag is null ? "must be true or false" : null;
        return flag;
    }

    protected override void WriteValue(Utf8JsonWriter writer, bool? value) =>
        writer.WriteBoolean(EncodedName, value!.Value);
}

/// <summary>A number, as the nearest double.</summary>
/// <inheritdoc cref="JsonMember{TModel, TValue}"/>
/// <param name="problemOf">What is wrong with a number, in words that follow its name; null when nothing is.</param>
internal sealed class JsonNumber<TModel>(
    string name, Func<TModel, double?> get, Action<TModel, double?> set, Func<double, string?> problemOf)
    : JsonMember<TModel, double?>(name, get, set)
{
    protected override double? ReadValue(ref Utf8JsonReader reader, out string? problem)
    {
        double? number = reader.TokenType == JsonTokenType.Number ? reader.GetDouble() : null;
        problem = number is { } given ? problemOf(given) : "must be a number";
        return number;
    }

    protected override void WriteValue(Utf8JsonWriter writer, double? value) =>
        writer.WriteNumber(EncodedName, value!.Value);
}
