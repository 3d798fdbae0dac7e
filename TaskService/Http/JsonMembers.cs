using System.Text.Json;

namespace TaskService.Http;

/// <summary>
/// The members of a JSON model in one table, which decides how documents are read, written and merged. A member that
/// is in the table is in all three.
/// </summary>
/// <typeparam name="TModel">A flat object; a member that is not there is null in it.</typeparam>
internal sealed class JsonMembers<TModel>
    where TModel : class
{
    // One bit each.
    private const int MembersMax = 64;

    private readonly Func<TModel> create;
    private readonly JsonMember<TModel>[] members;

    /// <param name="create">Makes a model without members.</param>
    /// <param name="members">In the order in which they are written.</param>
    public JsonMembers(Func<TModel> create, params JsonMember<TModel>[] members)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(members.Length, MembersMax);
        (this.create, this.members) = (create, members);
    }

    public IReadOnlyList<JsonMember<TModel>> All => members;

    /// <summary>Reads a document in one pass.</summary>
    /// <param name="document">UTF-8, RFC 8259.</param>
    /// <param name="violations">Gets everything that the table forbids; the result is to be used only if there is
    /// nothing.</param>
    /// <exception cref="JsonException">It is not JSON, or JSON that systems read differently.</exception>
    public TModel Read(ReadOnlySpan<byte> document, List<Violation> violations)
    {
        var model = create();
        Read(document, model, isPatch: false, violations);
        return model;
    }

    /// <summary>Reads a merge patch (RFC 7396): nothing is required, and null removes.</summary>
    /// <inheritdoc cref="Read(ReadOnlySpan{byte}, List{Violation})"/>
    public JsonPatch<TModel> ReadPatch(ReadOnlySpan<byte> document, List<Violation> violations)
    {
        var model = create();
        var given = Read(document, model, isPatch: true, violations);
        return new JsonPatch<TModel>(model, [.. members.Where((_, at) => (given & (1UL << at)) != 0)]);
    }

    public void Write(Utf8JsonWriter writer, TModel model)
    {
        writer.WriteStartObject();
        foreach (var member in members)
        {
            member.Write(writer, model);
        }
        writer.WriteEndObject();
    }

    /// <returns>Which members are given, each as the bit of its place.</returns>
    private ulong Read(ReadOnlySpan<byte> document, TModel model, bool isPatch, List<Violation> violations)
    {
        var reader = new Utf8JsonReader(document, StrictJson.ReaderOptions);
        var given = 0UL;
        StrictJson.CheckText(document);
        reader.Read();
        if (reader.TokenType == JsonTokenType.StartObject)
        {
            given = ReadMembers(ref reader, model, isPatch, violations);
        }
        else
        {
            violations.Add(new Violation("", "must be an object"));
            reader.Skip();
        }
        reader.Read();
        if (violations.Count > 0 || isPatch)
        {
            // What is refused or skipped was not looked at closely: it may not even be JSON.
            StrictJson.Check(document);
        }
        return given;
    }

    private ulong ReadMembers(ref Utf8JsonReader reader, TModel model, bool isPatch, List<Violation> violations)
    {
        var (given, removed) = (0UL, 0UL);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var at = IndexOf(ref reader);
            var bit = at < 0 ? 0 : 1UL << at;
            if ((given & bit) != 0)
            {
                throw new JsonException($"member \"{members[at].Name}\" is repeated");
            }
            given |= bit;
            var pointer = at < 0 ? Violation.PointerTo(StrictJson.Text(ref reader)) : members[at].Pointer;
            reader.Read();
            if (isPatch && reader.TokenType == JsonTokenType.Null)
            {
                removed |= bit;
                continue;
            }
            if ((at < 0 ? "is not a known member" : members[at].Read(ref reader, model)) is { } problem)
            {
                Violate(violations, pointer, problem);
                reader.Skip();
            }
        }
        var missing = isPatch ? removed : ~given;
        for (var at = 0; at < members.Length; at++)
        {
            if (members[at].IsRequired && (missing & (1UL << at)) != 0)
            {
                Violate(violations, members[at].Pointer, "is required");
            }
        }
        return given;
    }

    private int IndexOf(ref Utf8JsonReader reader)
    {
        if (reader.ValueIsEscaped)
        {
            // The comparisons below would not take half of a surrogate pair for an answer.
            StrictJson.Text(ref reader);
        }
        for (var at = 0; at < members.Length; at++)
        {
            if (members[at].IsNamedBy(ref reader))
            {
                return at;
            }
        }
        return -1;
    }

    private static void Violate(List<Violation> violations, string pointer, string message)
    {
        if (violations.Count < Violation.ItemsMax)
        {
            violations.Add(new Violation(pointer, message));
        }
    }
}

/// <summary>A JSON merge patch (RFC 7396): the members that it has replace those of a model, null removes.</summary>
/// <param name="given">Holds the new values; null where the patch has null.</param>
/// <param name="members">Those that the patch has.</param>
internal sealed class JsonPatch<TModel>(TModel given, IReadOnlyList<JsonMember<TModel>> members)
{
    public void ApplyTo(TModel model)
    {
        foreach (var member in members)
        {
            member.Copy(given, model);
        }
    }
}
